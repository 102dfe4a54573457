/** What an agent is made of for its configuration, whether it serves a supervisor's pipe or a socket. */
import type { Clock } from '../../core/clock.ts';
import { NetstewardError } from '../../core/errors.ts';
import { seenSets } from '../in-use-table.ts';
import type { Nft, RulesetEvents } from '../ports.ts';
import type { AgentConfig, AgentEvent, Used } from './nft-agent-protocol.ts';
import { ConnectionDrops } from './nft-connection-drops.ts';
import { ForeignSets } from './nft-foreign-sets.ts';
import { GuardKeeper } from './nft-guard-keeper.ts';
import { OwnTable, routeSetsOf } from './nft-own-table.ts';
import { readSeenSets } from './nft-seen-sets.ts';
import type { SetHome } from './nft-set-home.ts';
import { SetKeeper } from './nft-set-keeper.ts';
import type { ConnectionDropper } from './tracked-connections.ts';

export interface AgentPartsOptions {
  readonly config: AgentConfig;
  readonly nft: Nft;
  readonly events: RulesetEvents;
  readonly clock: Clock;
  readonly tell: (event: AgentEvent) => void;
  /** Of connections that the kernel tracks; the kernel's own by default. */
  readonly openConnections?: (() => Promise<ConnectionDropper>) | undefined;
}

export class AgentParts {
  readonly keeper: SetKeeper;
  readonly #nft: Nft;
  readonly #home: SetHome;
  readonly #guard: GuardKeeper | undefined;
  readonly #drops: ConnectionDrops | undefined;
  readonly #seen: readonly string[];

  constructor({ config, nft, events, clock, tell, openConnections }: AgentPartsOptions) {
    const own = config.kind === 'own';
    this.#nft = nft;
    this.#home = own ? new OwnTable(nft, config) : new ForeignSets(nft, config);
    this.#seen = own ? (config.inUse === true ? seenSets.map(({ name }) => name) : []) : (config.seen ?? []);
    const routes = own ? (config.dropConnections === true ? routeSetsOf(config) : []) : (config.dropConnections ?? []);
    if (routes.length > 0) {
      this.#drops = new ConnectionDrops({
        open: openConnections ?? (async () => (await import('./tracked-connections.ts')).TrackedConnections.open()),
        tell: (report) => tell({ event: 'connections', ...report }),
      });
    }
    this.keeper = new SetKeeper({
      home: this.#home,
      nft,
      events,
      clock,
      never: new Set(own ? config.never : []),
      tell,
      moves: { sets: routes, moved: (addresses) => this.#drops?.moved(addresses) },
    });
    const problem = (code: string, message: string): void => tell({ event: 'problem', code, message });
    const spec = own ? config.guard : undefined;
    this.#guard = spec === undefined ? undefined : new GuardKeeper({ spec, nft, events, clock, problem });
  }

  /** Rejects with `not-configured` where the configuration names no sets that tell of it, and what reading them rejects with. */
  async used(): Promise<readonly Used[]> {
    if (this.#seen.length === 0) {
      throw new NetstewardError(
        'not-configured',
        'the configuration of nft-agent has no sets that tell what is in use',
      );
    }
    return [...(await readSeenSets(this.#nft, this.#home.table, this.#seen))];
  }

  /** The table of the guard stays; what becomes of the sets is for keeper.close() to say. */
  async close(): Promise<void> {
    await this.#guard?.close();
    await this.#drops?.close();
  }
}
