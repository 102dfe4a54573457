/** `nft-agent --supervised`: one supervisor on standard input and output, one home of sets, one nft context. */
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { describeError, NetstewardError } from '../../core/errors.ts';
import { type ExitCode, exitCodes } from '../../core/exit-codes.ts';
import type { Nft, RulesetEvents } from '../ports.ts';
import { AgentParts } from './nft-agent-parts.ts';
import {
  type AgentConfig,
  type AgentEvent,
  type AgentMessage,
  type AgentRequest,
  longestMessage,
  messageLine,
  type OnStop,
  parseRequest,
  requestIdOf,
  type Used,
} from './nft-agent-protocol.ts';
import { BoundedLines } from './nft-lines.ts';
import type { SetKeeper } from './nft-set-keeper.ts';
import type { ConnectionDropper } from './tracked-connections.ts';

export interface AgentSessionOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  readonly openNft: () => Promise<Nft>;
  readonly openEvents: () => Promise<RulesetEvents>;
  /** Of connections that the kernel tracks; the kernel's own by default. */
  readonly openConnections?: () => Promise<ConnectionDropper>;
}

interface Configured {
  readonly nft: Nft;
  readonly parts: AgentParts;
  readonly onStop: OnStop;
}

/** Serves until `stop` or the end of the input, when it leaves the kernel as `onStop` says. Never rejects. */
export async function runAgentSession(options: AgentSessionOptions): Promise<ExitCode> {
  const session = new AgentSession(options);
  // A supervisor that is gone reads nothing: what matters is the end of the input.
  options.output.on('error', () => {});
  const lines = new BoundedLines(longestMessage);
  try {
    for await (const bytes of options.input) {
      const complete = lines.add(bytes as Buffer);
      if (complete === 'too-long') {
        session.tellProblem('agent-message-invalid', `a message is longer than ${longestMessage} bytes`);
        break;
      }
      for (const line of complete) {
        await session.receive(line);
        if (session.stopped) return exitCodes.ok;
      }
    }
  } catch (error) {
    session.tellProblem('agent-input-failed', describeError(error));
  }
  return session.abandoned();
}

class AgentSession {
  readonly #options: AgentSessionOptions;
  #configured: Configured | undefined;
  #stopped = false;

  constructor(options: AgentSessionOptions) {
    this.#options = options;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  async receive(line: string): Promise<void> {
    let id = 0;
    try {
      const request = parseRequest(line);
      id = request.id;
      this.#send({ type: 'reply', id, ok: true, ...(await this.#serve(request)) });
    } catch (error) {
      this.#refuse(id === 0 ? requestIdOf(line) : id, error);
    }
  }

  tellProblem(code: string, message: string): void {
    this.#send({ type: 'event', event: 'problem', code, message });
  }

  /** The supervisor ended without a word. */
  async abandoned(): Promise<ExitCode> {
    try {
      await this.#end(this.#configured?.onStop ?? 'keep');
      return exitCodes.ok;
    } catch (error) {
      this.tellProblem(codeOf(error), describeError(error));
      return exitCodes.failure;
    }
  }

  /** What its reply tells beyond that. */
  async #serve(request: AgentRequest): Promise<{ readonly used: readonly Used[] } | undefined> {
    switch (request.type) {
      case 'configure':
        await this.#configure(request.config, request.onStop);
        return undefined;
      case 'look':
        throw new NetstewardError('agent-message-invalid', 'nobody but its supervisor can look at this nft-agent');
      case 'replace':
        await this.#keeper().replace(request.sets);
        return undefined;
      case 'update':
        await this.#keeper().update(request.sets);
        return undefined;
      case 'used':
        return { used: await this.#known().parts.used() };
      case 'on-stop':
        this.#configured = { ...this.#known(), onStop: request.mode };
        return undefined;
      case 'stop':
        await this.#end(request.mode);
        this.#stopped = true;
        return undefined;
    }
  }

  async #configure(config: AgentConfig, onStop: OnStop): Promise<void> {
    if (this.#configured !== undefined)
      throw new NetstewardError('already-configured', 'nft-agent is configured already');
    const nft = await this.#options.openNft();
    try {
      const { clock, openEvents, openConnections } = this.#options;
      const events = await openEvents();
      const tell = (event: AgentEvent): void => this.#send({ type: 'event', ...event });
      this.#configured = {
        nft,
        parts: new AgentParts({ config, nft, events, clock, tell, openConnections }),
        onStop,
      };
    } catch (error) {
      await nft.close();
      throw error;
    }
  }

  #keeper(): SetKeeper {
    return this.#known().parts.keeper;
  }

  #known(): Configured {
    if (this.#configured === undefined) throw new NetstewardError('not-configured', 'nft-agent is not configured yet');
    return this.#configured;
  }

  async #end(mode: OnStop): Promise<void> {
    const configured = this.#configured;
    this.#configured = undefined;
    if (configured === undefined) return;
    try {
      await configured.parts.close();
      await configured.parts.keeper.close(mode);
    } finally {
      await configured.nft.close();
    }
  }

  #refuse(id: number | undefined, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const remedy = error instanceof NetstewardError && error.remedy !== undefined ? { remedy: error.remedy } : {};
    if (id === undefined) this.#send({ type: 'event', event: 'problem', code: codeOf(error), message, ...remedy });
    else this.#send({ type: 'reply', id, ok: false, code: codeOf(error), message, ...remedy });
  }

  #send(message: AgentMessage): void {
    if (!this.#options.output.destroyed) this.#options.output.write(messageLine(message));
  }
}

function codeOf(error: unknown): string {
  return error instanceof NetstewardError ? error.code : 'nft-agent-failed';
}
