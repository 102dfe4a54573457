/** `nft-agent --serve`: an agent that outlives its clients, and lets them fill just what its own configuration names. */
//
// Who owns the process at the other end can change the elements of the named sets, and nothing else: the agent's configuration is
// root's file, a client's is compared with it, and one that sends garbage, too much or nothing loses its connection.
import { chmod } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import { describeError, NetstewardError } from '../../core/errors.ts';
import type { Nft, RulesetEvents } from '../ports.ts';
import { tooCostly } from './nft-agent-gate.ts';
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
  requestLine,
  type Used,
} from './nft-agent-protocol.ts';
import { listen, removeStale } from './nft-agent-socket.ts';
import { BoundedLines } from './nft-lines.ts';
import type { SetKeeper } from './nft-set-keeper.ts';
import type { ConnectionDropper } from './tracked-connections.ts';

export interface AgentServerOptions {
  /** Absolute; its group may connect (0660). */
  readonly path: string;
  readonly config: AgentConfig;
  /** Of this program. */
  readonly version: string;
  readonly clock: Clock;
  readonly nft: Nft;
  readonly events: RulesetEvents;
  readonly say: (level: 'info' | 'warning', text: string) => void;
  /** Of connections that the kernel tracks; the kernel's own by default. */
  readonly openConnections?: () => Promise<ConnectionDropper>;
}

/** Milliseconds for a connection's first request, and for the rest of a line that has begun. */
const patience = 10_000;
/** Bytes of answers that a client has not read. */
const mostUnread = 1024 * 1024;
const mostConnections = 8;

/** Resolves when it listens; rejects with NetstewardError `socket-in-use`, `socket-path-taken` or `socket-unusable`. */
export async function serveAgent(options: AgentServerOptions): Promise<{ close(mode: OnStop): Promise<void> }> {
  const server = new AgentServer(options);
  await server.open();
  return server;
}

class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #parts: AgentParts;
  /** What a client's configuration has to be. */
  readonly #wanted: string;
  readonly #open = new Set<Session>();
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#connected(socket));
  /** The one client that may fill the sets. */
  #current: Session | undefined;
  /** What a new client has to know. */
  #table: AgentEvent | undefined;
  #filled = false;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    const { config, nft, events, clock, openConnections } = options;
    this.#wanted = comparable(config);
    const tell = (event: AgentEvent): void => this.#tell(event);
    this.#parts = new AgentParts({ config, nft, events, clock, tell, openConnections });
  }

  get #keeper(): SetKeeper {
    return this.#parts.keeper;
  }

  async open(): Promise<void> {
    const { path } = this.#options;
    await removeStale(path);
    this.#server.maxConnections = mostConnections;
    // The file is made inside listen(): with this mask nobody else can connect before the chmod.
    const mask = process.umask(0o177);
    try {
      await listen(this.#server, path);
    } finally {
      process.umask(mask);
    }
    await chmod(path, 0o660);
  }

  /** Leaves the kernel as `mode` says. */
  async close(mode: OnStop): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // What the client wants at its own end is not asked for now.
    this.#current = undefined;
    for (const session of this.#open) session.drop();
    await closed;
    await this.#parts.close();
    await this.#keeper.close(mode);
  }

  #connected(socket: Socket): void {
    const session: Session = new Session(socket, this.#options.clock, (request) => this.#serve(session, request));
    this.#open.add(session);
    void session.over.then(async (problem) => {
      this.#open.delete(session);
      if (problem !== undefined) this.#options.say('warning', `a client was cut off: ${problem}`);
      if (this.#current !== session) return;
      this.#current = undefined;
      await this.#leave(session.onStop);
    });
  }

  async #serve(session: Session, request: AgentRequest): Promise<Told> {
    if (request.type === 'configure') {
      this.#configure(session, request);
      return undefined;
    }
    if (request.type === 'look') {
      this.#permit(request.config);
      return { version: this.#options.version };
    }
    if (this.#current !== session) throw new NetstewardError('not-configured', 'nft-agent is not configured yet');
    switch (request.type) {
      case 'replace':
        this.#filled = true;
        await this.#keeper.replace(request.sets);
        return undefined;
      case 'update':
        await this.#keeper.update(request.sets);
        return undefined;
      case 'used':
        return { used: await this.#parts.used() };
      case 'on-stop':
        session.onStop = request.mode;
        return undefined;
      case 'stop':
        // Of this client's work: the agent itself is stopped by its service.
        this.#current = undefined;
        await this.#leave(request.mode);
        return undefined;
    }
  }

  #configure(session: Session, { config, onStop }: Extract<AgentRequest, { readonly type: 'configure' }>): void {
    this.#permit(config);
    // A client that was started again comes before the end of the old one is noticed.
    if (this.#current !== session) this.#current?.drop();
    this.#current = session;
    session.configured = true;
    session.onStop = onStop;
    if (this.#table !== undefined) session.send({ type: 'event', ...this.#table });
  }

  #permit(config: AgentConfig): void {
    if (comparable(config) !== this.#wanted) {
      throw new NetstewardError('agent-not-allowed', 'the configuration of nft-agent allows other sets than these', {
        remedy:
          'Make [nbrpc.table] or [nbrpc.sets], while_down and [nbrpc.guard] the same as in nft-agent.toml of netsteward-nft.service.',
      });
    }
  }

  async #leave(mode: OnStop): Promise<void> {
    if (mode === 'keep' || !this.#filled) return;
    await this.#keeper.replace(new Map()).catch((error: unknown) => {
      this.#options.say('warning', `the sets could not be emptied: ${describeError(error)}`);
    });
  }

  #tell(event: AgentEvent): void {
    if (event.event === 'table') this.#table = event;
    if (event.event === 'problem') this.#options.say('warning', event.message);
    if (event.event === 'connections' && 'problem' in event) {
      this.#options.say('warning', `connections were not dropped: ${event.problem}`);
    }
    this.#current?.send({ type: 'event', ...event });
  }
}

/** `never` is what the client leaves out by itself. */
function comparable(config: AgentConfig): string {
  const line = requestLine({ type: 'configure', id: 0, config, onStop: 'keep' });
  const parsed = parseRequest(line) as Extract<AgentRequest, { readonly type: 'configure' }>;
  return JSON.stringify({ ...parsed.config, never: [] });
}

/** For its reply. */
type Told = { readonly version?: string; readonly used?: readonly Used[] } | undefined;
/** Rejects with what the client is to be told. */
type Serve = (request: AgentRequest) => Promise<Told>;

/** One connection: its lines one after another, with limits to what it may cost. */
class Session {
  /** Resolves when it is over, with what was wrong with it. */
  readonly over: Promise<string | undefined>;
  onStop: OnStop = 'keep';
  configured = false;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #serve: Serve;
  readonly #lines = new BoundedLines(longestMessage);
  #problem: string | undefined;
  #limit: Timer | undefined;
  #stopped = false;
  /** The last request has changed nothing. */
  #looked = false;

  constructor(socket: Socket, clock: Clock, serve: Serve) {
    this.#socket = socket;
    this.#clock = clock;
    this.#serve = serve;
    // A client that is gone reads nothing: what matters is the end of its input.
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    this.#limit = this.#within('it sent no request');
    this.over = this.#run()
      .catch((error: unknown) => {
        this.#problem ??= socket.destroyed ? undefined : describeError(error);
      })
      .then(async () => {
        this.#rest();
        socket.end();
        // Whoever does not read what it is told must not hold the connection open.
        const last = this.#within('');
        await closed;
        last.cancel();
        return this.#problem === '' ? undefined : this.#problem;
      });
  }

  send(message: AgentMessage): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(messageLine(message));
    if (this.#socket.writableLength > mostUnread) this.drop('it does not read its answers');
  }

  drop(problem?: string): void {
    this.#problem ??= problem;
    this.#socket.destroy();
  }

  #within(problem: string): Timer {
    return this.#clock.after(patience, () => this.drop(problem));
  }

  async #run(): Promise<void> {
    for await (const bytes of this.#socket) {
      const complete = this.#lines.add(bytes as Buffer);
      if (complete === 'too-long') this.#end(`a message is longer than ${longestMessage} bytes`);
      if (complete.length > 0) this.#rest();
      for (const line of complete) {
        await this.#receive(line);
        if (this.#stopped) return;
        if (!this.configured && !this.#looked) this.#end('it did not begin with a configuration that is allowed');
      }
      // An idle client may wait for ever, the rest of a line that has begun may not.
      if (this.#lines.pending > 0) this.#limit ??= this.#within('it did not end its line');
    }
  }

  /** To be told: the loop that this leaves has destroyed the socket before anybody sees the error. */
  #end(problem: string): never {
    this.#problem ??= problem;
    throw new Error(problem);
  }

  #rest(): void {
    this.#limit?.cancel();
    this.#limit = undefined;
  }

  async #receive(line: string): Promise<void> {
    const costly = tooCostly(line);
    if (costly !== undefined) this.#end(`a message was not read: ${costly}`);
    try {
      const request = parseRequest(line);
      this.send({ type: 'reply', id: request.id, ok: true, ...(await this.#serve(request)) });
      this.#looked = request.type === 'look';
      this.#stopped = request.type === 'stop';
    } catch (error) {
      const id = requestIdOf(line);
      const message = error instanceof Error ? error.message : String(error);
      const { code, remedy } =
        error instanceof NetstewardError ? error : { code: 'nft-agent-failed', remedy: undefined };
      const more = remedy === undefined ? {} : { remedy };
      if (id === undefined) this.send({ type: 'event', event: 'problem', code, message, ...more });
      else this.send({ type: 'reply', id, ok: false, code, message, ...more });
    }
  }
}
