/** From events to strips: in which state each service was from when to when, and why (pure). */
import type { EventCode, NetstewardEvent } from '../core/events.ts';

/**
 * `tunnelled`: at least one address goes through the tunnel. `failing`: it does not work directly, and goes direct all the
 * same. `dropped`: no exit works for it. `down`: on every route, or without a clear result. `unknown`: before the first event, and while netsteward was off.
 */
export type ServiceState = 'direct' | 'failing' | 'tunnelled' | 'dropped' | 'down' | 'unknown';

export interface ServiceInterval {
  /** Milliseconds since the epoch; `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly state: ServiceState;
  readonly reason: string;
}

export interface Period {
  readonly since: number;
  /** Not included. */
  readonly until: number;
}

/** Two things are known of a service, by events of their own: its route, and how it does on the direct one. */
interface Known {
  /** Undefined: the direct one. */
  readonly route: 'tunnelled' | 'dropped' | undefined;
  readonly health: Exclude<ServiceState, 'tunnelled' | 'dropped'>;
  readonly routeReason: string;
  readonly healthReason: string;
}

const nothing: Known = { route: undefined, health: 'unknown', routeReason: '', healthReason: '' };

const healthOf: Partial<Readonly<Record<EventCode, Known['health']>>> = {
  'service-works': 'direct',
  'service-failing': 'failing',
  'service-blocked': 'failing',
  'service-unstable': 'down',
};

/** Those that strips are made of: of services, and of netsteward as a whole. */
export const serviceRouteCodes: readonly EventCode[] = ['service-rerouted', 'service-direct', 'service-dropped'];
const serviceHealthCodes: readonly EventCode[] = [
  'service-works',
  'service-failing',
  'service-blocked',
  'service-unstable',
];
export const serviceStateCodes: readonly EventCode[] = [...serviceRouteCodes, ...serviceHealthCodes];
const stateCodes: ReadonlySet<EventCode> = new Set(serviceStateCodes);
export const presenceCodes: readonly EventCode[] = ['netsteward-started', 'netsteward-stopping'];
/** Of each list the last event of a subject tells how it still stands. */
export const standingCodes: readonly (readonly EventCode[])[] = [serviceRouteCodes, serviceHealthCodes, presenceCodes];

/**
 * `events`: the oldest first; those before the period say how things stood when it began. Intervals of one service follow
 * each other without a gap through the whole period.
 */
export function serviceIntervals(
  events: Iterable<NetstewardEvent>,
  period: Period,
): ReadonlyMap<string, readonly ServiceInterval[]> {
  const strips = new Map<string, Strip>();
  let off = false;
  for (const event of events) {
    if (event.at >= period.until) break;
    if (event.code === 'netsteward-stopping' || event.code === 'netsteward-started') {
      // What nbrpc knew is in its state file: it goes on from there.
      off = event.code === 'netsteward-stopping';
      for (const strip of strips.values()) strip.presence(event.at, off);
    } else if (stateCodes.has(event.code)) {
      const strip = strips.get(event.subject) ?? new Strip(period, off);
      strips.set(event.subject, strip);
      strip.take(event);
    }
  }
  return new Map([...strips].map(([host, strip]) => [host, strip.end()]));
}

class Strip {
  readonly #period: Period;
  readonly #done: ServiceInterval[] = [];
  #known = nothing;
  #shown: Shown;
  #from: number;

  constructor(period: Period, off: boolean) {
    this.#period = period;
    this.#from = period.since;
    this.#shown = shown(nothing, off);
  }

  presence(at: number, off: boolean): void {
    this.#become(at, this.#known, off);
  }

  take({ at, code, fields }: NetstewardEvent): void {
    const known = learned(this.#known, code, fields.reason ?? '');
    // A service that moves is one that somebody looks after, whatever a clock that was set back says.
    this.#become(at, known, false);
  }

  end(): readonly ServiceInterval[] {
    this.#close(this.#period.until);
    return this.#done;
  }

  #become(at: number, known: Known, off: boolean): void {
    const after = shown(known, off);
    if (this.#shown.state !== after.state || this.#shown.reason !== after.reason) this.#close(at);
    this.#known = known;
    this.#shown = after;
  }

  /**
   * Ends what is shown until now; nothing where that was before the period, or took no time (the clock was set back). What
   * differed for no time leaves the state as it was before: that interval goes on.
   */
  #close(at: number): void {
    if (at <= this.#from) return;
    const { state, reason } = this.#shown;
    const ended = { from: this.#from, to: at, state, reason };
    const last = this.#done.at(-1);
    const goesOn = last !== undefined && last.state === ended.state && last.reason === ended.reason;
    if (goesOn) this.#done[this.#done.length - 1] = { ...last, to: at };
    else this.#done.push(ended);
    this.#from = at;
  }
}

/** Each key by name: to spread one object into the next took a fifth of the time of a month of events. */
function learned(known: Known, code: EventCode, reason: string): Known {
  const health = healthOf[code];
  const { route: routeBefore, routeReason, healthReason } = known;
  if (health !== undefined) return { route: routeBefore, health, routeReason, healthReason: reason };
  const route = code === 'service-rerouted' ? 'tunnelled' : code === 'service-dropped' ? 'dropped' : undefined;
  const direct = known.health === 'unknown' && route === undefined;
  return { route, health: direct ? 'direct' : known.health, routeReason: reason, healthReason };
}

type Shown = Pick<ServiceInterval, 'state' | 'reason'>;

function shown(known: Known, off: boolean): Shown {
  if (off) return { state: 'unknown', reason: 'netsteward was off' };
  const { route, health, routeReason, healthReason } = known;
  if (route !== undefined) return { state: route, reason: routeReason };
  return { state: health, reason: healthReason || routeReason };
}
