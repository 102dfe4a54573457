/** The port AddressSets by way of nft-agent: deltas against what it acknowledged, everything after a restart or an error. */
import { type Backoff, backoffDelay } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { describeError, NetstewardError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { AddressSets, AddressSetsStatus, SetContents } from '../ports.ts';
import type { AgentChannel, OpenAgentChannel } from './nft-agent-channel.ts';
import {
  type AgentConfig,
  type AgentEvent,
  type AgentMessage,
  type AgentRequest,
  type OnStop,
  parseAgentMessage,
  requestLine,
} from './nft-agent-protocol.ts';
import { difference } from './nft-set-home.ts';

export interface AgentClientOptions {
  readonly open: OpenAgentChannel;
  readonly config: AgentConfig;
  /** What the agent does with the kernel's state when this process dies, until setOnStop(). */
  readonly onStop: OnStop;
  /** The agent is a service of its own, and so stays when this client closes. */
  readonly outlives?: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after each change of status(). */
  readonly onStatus?: () => void;
}

interface Waiter {
  /** It is content with this version of the contents, or a later one. */
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Connection {
  readonly channel: AgentChannel;
  /** The one request under way: its id, and what happens with its reply. */
  waiting: { readonly id: number; readonly settle: (reply: Reply) => void; readonly limit?: Timer } | undefined;
  configured: boolean;
  /** What the agent was told last. */
  onStop: OnStop;
  /** Contents that the kernel held when the agent last said so; undefined: not known. */
  acknowledged: SetContents | undefined;
}

type Reply = Extract<AgentMessage, { readonly type: 'reply' }>;

const restart: Backoff = { first: 100, most: 10_000 };
/** Milliseconds that an agent gets to end before it is killed: a flush of 100 000 elements takes less than one second. */
const patience = 5000;
/** Milliseconds for a reply: filling 100 000 elements takes less than one second. */
const replyLimit = 15_000;

export class NftAgentClient implements AddressSets {
  readonly #options: AgentClientOptions;
  #connection: Connection | undefined;
  #restartTimer: Timer | undefined;
  #failures = 0;
  #wanted: SetContents | undefined;
  #onStop: OnStop;
  #version = 0;
  #waiters: Waiter[] = [];
  #nextId = 1;
  #table: AddressSetsStatus['table'];
  #lastError: string | undefined;
  #refills = 0;
  #connections: AddressSetsStatus['connections'];
  /** Those who want to know what is in use. */
  #users: { readonly resolve: (used: ReadonlyMap<string, number>) => void; readonly reject: (error: Error) => void }[] =
    [];
  #closing = false;
  #disconnected: (() => void) | undefined;

  /** Starts an agent at once. */
  constructor(options: AgentClientOptions) {
    this.#options = options;
    this.#onStop = options.onStop;
    this.#connect();
  }

  hold(contents: SetContents): Promise<void> {
    if (this.#closing)
      return Promise.reject(new NetstewardError('agent-closed', 'the connection to nft-agent is closed'));
    this.#wanted = new Map([...contents].map(([set, addresses]) => [set, new Set(addresses)]));
    this.#version += 1;
    const version = this.#version;
    const outcome = new Promise<void>((resolve, reject) => this.#waiters.push({ version, resolve, reject }));
    this.#pump();
    return outcome;
  }

  status(): AddressSetsStatus {
    return {
      connected: this.#connection?.configured === true,
      table: this.#table,
      lastError: this.#lastError,
      refills: this.#refills,
      ...(this.#connections === undefined ? {} : { connections: this.#connections }),
    };
  }

  used(): Promise<ReadonlyMap<string, number>> {
    if (this.#closing)
      return Promise.reject(new NetstewardError('agent-closed', 'the connection to nft-agent is closed'));
    const outcome = new Promise<ReadonlyMap<string, number>>((resolve, reject) =>
      this.#users.push({ resolve, reject }),
    );
    const connection = this.#connection;
    if (connection?.configured === true) this.#askUse(connection);
    else if (connection === undefined) this.#rejectUsers(new NetstewardError('agent-unavailable', 'nft-agent is gone'));
    return outcome;
  }

  setOnStop(mode: OnStop): void {
    this.#onStop = mode;
    this.#pump();
  }

  async close(mode: OnStop): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#restartTimer?.cancel();
    this.#rejectAll(new NetstewardError('agent-closed', 'the connection to nft-agent is closed'));
    const connection = this.#connection;
    if (connection === undefined) return;
    const gone = new Promise<void>((resolve) => {
      this.#disconnected = resolve;
    });
    const timer = this.#options.clock.after(patience, () => {
      this.#options.log.error('nft-agent-killed', { reason: `it did not end within ${patience} ms` });
      connection.channel.kill();
    });
    if (mode === 'keep' && this.#table === 'owner' && this.#options.outlives !== true) {
      this.#options.log.warn('nft-table-ends', {
        reason: 'without "flags persist" an owner table ends with nft-agent',
      });
    }
    const id = this.#nextId++;
    // Not through #request(): the reply of a request under way comes first, and is of no interest any more.
    connection.waiting?.limit?.cancel();
    connection.waiting = { id, settle: (reply) => this.#stopped(reply) };
    connection.channel.send(requestLine({ type: 'stop', id, mode }));
    connection.channel.end();
    await gone;
    timer.cancel();
  }

  #stopped(reply: Reply): void {
    if (!reply.ok) this.#options.log.error('nft-agent-stop', { code: reply.code, reason: reply.message });
  }

  #connect(): void {
    const connection: Connection = {
      channel: this.#options.open({
        line: (text) => this.#receive(connection, text),
        complaint: (text) => this.#options.log.warn('nft-agent-stderr', { text }),
        closed: (reason) => this.#lost(connection, reason),
      }),
      waiting: undefined,
      configured: false,
      onStop: this.#onStop,
      acknowledged: undefined,
    };
    this.#connection = connection;
    const { config } = this.#options;
    const { onStop } = connection;
    this.#request(
      connection,
      (id) => ({ type: 'configure', id, config, onStop }),
      (reply) => {
        if (reply.ok) {
          connection.configured = true;
          this.#setError(undefined);
          this.#pump();
          return;
        }
        // Nothing to be had of this one; the next one is tried after a while.
        const error = errorOf(reply);
        this.#setError(describeError(error));
        this.#rejectAll(error);
        connection.channel.end();
      },
    );
  }

  /** One request at a time; what is asked meanwhile is folded into the next. */
  #pump(): void {
    const connection = this.#connection;
    const wanted = this.#wanted;
    if (connection === undefined || !connection.configured || connection.waiting !== undefined || this.#closing) return;
    if (connection.onStop !== this.#onStop) {
      this.#tellOnStop(connection, this.#onStop);
      return;
    }
    if (wanted === undefined) {
      this.#askUse(connection);
      return;
    }
    const version = this.#version;
    const deltas =
      connection.acknowledged === undefined
        ? undefined
        : difference(connection.acknowledged, wantedBy(connection.acknowledged, wanted));
    if (deltas !== undefined && deltas.size === 0 && this.#lastError === undefined) {
      this.#resolveUpTo(version);
      this.#askUse(connection);
      return;
    }
    const sets = new Map([...wanted].map(([set, addresses]) => [set, [...addresses]]));
    this.#request(
      connection,
      (id) => (deltas === undefined ? { type: 'replace', id, sets } : { type: 'update', id, sets: deltas }),
      (reply) => {
        if (reply.ok) {
          connection.acknowledged = wanted;
          this.#failures = 0;
          this.#setError(undefined);
          this.#resolveUpTo(version);
        } else {
          connection.acknowledged = undefined;
          const error = errorOf(reply);
          this.#setError(describeError(error));
          this.#rejectUpTo(version, error);
        }
        if (this.#waiters.length > 0 || connection.onStop !== this.#onStop) this.#pump();
        else this.#askUse(connection);
      },
    );
  }

  /** After all that changes sets: a new agent knows no sets before it has filled them. */
  #askUse(connection: Connection): void {
    if (connection.waiting !== undefined || this.#users.length === 0) return;
    this.#request(
      connection,
      (id) => ({ type: 'used', id }),
      (reply) => {
        if (reply.ok) for (const user of this.#users.splice(0)) user.resolve(new Map(reply.used));
        else this.#rejectUsers(errorOf(reply));
        if (this.#waiters.length > 0 || connection.onStop !== this.#onStop) this.#pump();
      },
    );
  }

  #rejectUsers(error: Error): void {
    for (const user of this.#users.splice(0)) user.reject(error);
  }

  #tellOnStop(connection: Connection, mode: OnStop): void {
    this.#request(
      connection,
      (id) => ({ type: 'on-stop', id, mode }),
      (reply) => {
        connection.onStop = mode;
        if (!reply.ok) this.#options.log.error('nft-agent-on-stop', { code: reply.code, reason: reply.message });
        this.#pump();
      },
    );
  }

  #request(connection: Connection, make: (id: number) => AgentRequest, settle: (reply: Reply) => void): void {
    const id = this.#nextId++;
    // An agent that hangs, or that somebody has stopped, would leave the kernel at what it last held without a word.
    const limit = this.#options.clock.after(replyLimit, () => {
      this.#setError('nft-agent does not answer; it is started again');
      connection.channel.kill();
    });
    connection.waiting = { id, settle, limit };
    connection.channel.send(requestLine(make(id)));
  }

  #receive(connection: Connection, line: string): void {
    if (connection !== this.#connection) return;
    let message: AgentMessage;
    try {
      message = parseAgentMessage(line);
    } catch (error) {
      this.#options.log.error('nft-agent-message', { reason: describeError(error) });
      connection.channel.kill();
      return;
    }
    if (message.type === 'event') {
      this.#noticed(message);
      return;
    }
    const { waiting } = connection;
    if (waiting?.id !== message.id) return;
    waiting.limit?.cancel();
    connection.waiting = undefined;
    waiting.settle(message);
  }

  #noticed(event: AgentEvent): void {
    const { log } = this.#options;
    switch (event.event) {
      case 'table':
        this.#table = event.table;
        log.info('nft-table', { table: event.table, ...(event.reason === undefined ? {} : { reason: event.reason }) });
        break;
      case 'refilled':
        this.#refills += 1;
        log.info('nft-refilled', { elements: event.elements });
        break;
      case 'problem':
        // What comes of a request is told by its reply; this line is for what the agent found by itself.
        log[this.#connection?.waiting === undefined ? 'error' : 'debug']('nft-problem', {
          code: event.code,
          reason: event.message,
        });
        this.#setError(event.remedy === undefined ? event.message : `${event.message} (${event.remedy})`);
        break;
      case 'recovered':
        log.info('nft-recovered');
        this.#setError(undefined);
        break;
      case 'connections': {
        const { addresses } = event;
        const before = this.#connections?.dropped ?? 0;
        if ('problem' in event) {
          log.warn('connections-not-dropped', { addresses, reason: event.problem });
          this.#connections = { dropped: before, problem: event.problem };
        } else {
          if (event.dropped > 0) log.info('connections-dropped', { addresses, connections: event.dropped });
          this.#connections = { dropped: before + event.dropped };
        }
        break;
      }
    }
    this.#options.onStatus?.();
  }

  #lost(connection: Connection, reason: string): void {
    connection.waiting?.limit?.cancel();
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    if (this.#closing) {
      this.#disconnected?.();
      return;
    }
    this.#failures += 1;
    const delay = backoffDelay(this.#failures, restart);
    this.#options.log.warn('nft-agent-ended', { reason, restartInMs: delay });
    // A refusal said more than its exit code does.
    if (connection.configured || this.#lastError === undefined) this.#setError(`nft-agent is gone: ${reason}`);
    this.#rejectAll(
      new NetstewardError('agent-unavailable', `nft-agent is gone: ${reason}; it starts again by itself`),
    );
    this.#restartTimer = this.#options.clock.after(delay, () => this.#connect());
  }

  #setError(text: string | undefined): void {
    this.#lastError = text;
    this.#options.onStatus?.();
  }

  #resolveUpTo(version: number): void {
    for (const waiter of this.#take(version)) waiter.resolve();
  }

  #rejectUpTo(version: number, error: Error): void {
    for (const waiter of this.#take(version)) waiter.reject(error);
  }

  #rejectAll(error: Error): void {
    this.#rejectUsers(error);
    this.#rejectUpTo(Number.POSITIVE_INFINITY, error);
  }

  #take(version: number): readonly Waiter[] {
    const taken = this.#waiters.filter((waiter) => waiter.version <= version);
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > version);
    return taken;
  }
}

/** Sets that were held and are not named any more become empty. */
function wantedBy(held: SetContents, wanted: SetContents): SetContents {
  return new Map([...[...held.keys()].map((set) => [set, new Set<string>()] as const), ...wanted]);
}

function errorOf(reply: Extract<Reply, { readonly ok: false }>): NetstewardError {
  return new NetstewardError(reply.code, reply.message, reply.remedy === undefined ? {} : { remedy: reply.remedy });
}
