/** `nft-agent --supervised`: one supervisor on standard input and output, one home of sets, one nft context. */
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { describeError, NetstewardError } from '../../core/errors.ts';
import { type ExitCode, exitCodes } from '../../core/exit-codes.ts';
import type { Nft, RulesetEvents } from '../ports.ts';
import {
  type AgentConfig,
  type AgentMessage,
  type AgentRequest,
  longestMessage,
  messageLine,
  type OnStop,
  parseRequest,
  requestIdOf,
} from './nft-agent-protocol.ts';
import { ForeignSets } from './nft-foreign-sets.ts';
import { GuardKeeper } from './nft-guard-keeper.ts';
import { BoundedLines } from './nft-lines.ts';
import { OwnTable } from './nft-own-table.ts';
import type { SetHome } from './nft-set-home.ts';
import { SetKeeper } from './nft-set-keeper.ts';

export interface AgentSessionOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  readonly openNft: () => Promise<Nft>;
  readonly openEvents: () => Promise<RulesetEvents>;
}

interface Configured {
  readonly nft: Nft;
  readonly keeper: SetKeeper;
  readonly guard: GuardKeeper | undefined;
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
      await this.#serve(request);
      this.#send({ type: 'reply', id, ok: true });
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

  async #serve(request: AgentRequest): Promise<void> {
    switch (request.type) {
      case 'configure':
        return this.#configure(request.config, request.onStop);
      case 'look':
        throw new NetstewardError('agent-message-invalid', 'nobody but its supervisor can look at this nft-agent');
      case 'replace':
        return this.#keeper().replace(request.sets);
      case 'update':
        return this.#keeper().update(request.sets);
      case 'on-stop':
        this.#configured = { ...this.#known(), onStop: request.mode };
        return;
      case 'stop':
        await this.#end(request.mode);
        this.#stopped = true;
    }
  }

  async #configure(config: AgentConfig, onStop: OnStop): Promise<void> {
    if (this.#configured !== undefined)
      throw new NetstewardError('already-configured', 'nft-agent is configured already');
    const nft = await this.#options.openNft();
    try {
      const home: SetHome = config.kind === 'own' ? new OwnTable(nft, config) : new ForeignSets(nft, config);
      const events = await this.#options.openEvents();
      const keeper = new SetKeeper({
        home,
        nft,
        events,
        clock: this.#options.clock,
        never: new Set(config.kind === 'own' ? config.never : []),
        tell: (event) => this.#send({ type: 'event', ...event }),
      });
      const { clock } = this.#options;
      const problem = (code: string, message: string): void => this.tellProblem(code, message);
      const spec = config.kind === 'own' ? config.guard : undefined;
      const guard = spec === undefined ? undefined : new GuardKeeper({ spec, nft, events, clock, problem });
      this.#configured = { nft, keeper, guard, onStop };
    } catch (error) {
      await nft.close();
      throw error;
    }
  }

  #keeper(): SetKeeper {
    return this.#known().keeper;
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
      await configured.guard?.close();
      await configured.keeper.close(mode);
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
