/** The strips of all services: finished days are read once and kept, the last one or two are read anew for who asks. */
import type { EventCode, NetstewardEvent } from '../../core/events.ts';
import { eventOfRow, selectLatest } from '../history-query.ts';
import { standingCodes } from '../history-strips.ts';
import type { Ask } from './past.ts';
import type { Strip, Strips } from './shapes.ts';
import {
  Alike,
  append,
  day,
  type Intervals,
  minutesOfDay,
  mostStrips,
  Reasons,
  Standings,
  states,
  stripCodes,
  stripsOfDay,
  unknownState,
} from './strip-days.ts';

/** Of an answer, today too. */
export const mostDays = 31;
/** Milliseconds after a day's end until it counts as finished: the history writes once a second. */
const grace = 60_000;
/** Events of one day, the newest. 1000 services have far fewer; those of a storm must not fill the memory. */
const mostEvents = 30_000;
/** Characters of a reason. */
const longestReason = 200;

type DayStrips = ReadonlyMap<string, Intervals>;

export class StripCache {
  /** Midnight before the first day that is kept. */
  #first = 0;
  #days: DayStrips[] = [];
  /** At the end of the days that are kept. */
  #standings = new Standings();
  #reasons = new Reasons();
  #alike = new Alike();
  /** The newest row that has been looked at. */
  #lastId = 0;
  #version = 0;

  /** Grows with each change of what strips() would give for the same day. */
  get version(): number {
    return this.#version;
  }

  /** Looks for what has changed in the file; cheap. Throws as `ask` does. */
  update(ask: Ask): void {
    const last = Number(ask('SELECT max(id) AS id FROM event', [])[0]?.id ?? 0);
    if (last === this.#lastId) return;
    if (this.#days.length === 0) {
      // Nothing is kept that what is new could change, and a look at all of it would be the first one's.
      this.#version += 1;
      this.#lastId = last;
      this.#forget();
      return;
    }
    const codes = stripCodes.map(() => '?').join(', ');
    const [row] = ask(`SELECT count(*) AS count, min(at) AS at FROM event WHERE id > ? AND code IN (${codes})`, [
      this.#lastId,
      ...stripCodes,
    ]);
    const end = this.#first + this.#days.length * day;
    // A clock that was set back, or a file that could not be written for long: an event of a day that is kept. Numbers that begin
    // anew: the file was emptied.
    const old = Number(row?.count ?? 0) > 0 && Number(row?.at) < end;
    if (old || last < this.#lastId) this.#forget();
    if (last < this.#lastId || Number(row?.count ?? 0) > 0) this.#version += 1;
    this.#lastId = last;
  }

  /** `days`: today and those before. Other work gets its turn between two days. */
  async strips(ask: Ask, now: number, days: number): Promise<Strips> {
    const today = Math.floor(now / day) * day;
    const since = today - (days - 1) * day;
    // A new day: the texts of the one that goes would stay for ever.
    const renewed = this.#reasons.full && this.#first + mostDays * day <= today;
    if (this.#days.length === 0 || since < this.#first || renewed) {
      this.#begin(ask, since);
    }
    let end = this.#first + this.#days.length * day;
    for (; end + day + grace <= now; end += day) {
      const events = eventsOf(ask, end);
      this.#days.push(stripsOfDay(this.#standings, events, end, this.#reasons, this.#alike));
      for (const event of events) this.#standings.take(event);
      await pause();
    }
    this.#dropBefore(today - (mostDays - 1) * day);
    const kept = this.#days.slice(Math.max(0, (since - this.#first) / day));
    const open: DayStrips[] = [];
    const standings = this.#standings.copy();
    for (let at = end; at <= today; at += day) {
      const events = eventsOf(ask, at);
      // In the first minute of a day the one before is open too, whether it was asked for or not.
      if (at >= since) open.push(stripsOfDay(standings, events, at, this.#reasons, this.#alike));
      for (const event of events) standings.take(event);
    }
    return answer([...kept, ...open], since, days, this.#reasons, standings.hosts);
  }

  #begin(ask: Ask, since: number): void {
    this.#forget();
    this.#first = since;
    const { text, parameters } = selectLatest(since, standingCodes);
    for (const row of ask(text, parameters)) {
      const event = eventOfRow(row);
      if (event !== undefined) this.#standings.take(event);
    }
  }

  #forget(): void {
    this.#days = [];
    this.#standings = new Standings();
    this.#reasons = new Reasons();
    this.#alike = new Alike();
  }

  #dropBefore(time: number): void {
    const count = Math.max(0, Math.min(this.#days.length, (time - this.#first) / day));
    this.#days.splice(0, count);
    this.#first += count * day;
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type EventRow = readonly [at: number, id: number, code: EventCode, subject: string, reason: string | null];

/** The oldest first. As one text of JSON: made so, rows take a quarter of the time that one object for each takes. */
function eventsOf(ask: Ask, since: number): readonly NetstewardEvent[] {
  const [row] = ask(dayQuery, [since, since + day, ...stripCodes, mostEvents]);
  const rows = JSON.parse(String(row?.rows ?? '[]')) as EventRow[];
  rows.sort(([a, first], [b, second]) => a - b || first - second);
  return rows.map(([at, , code, subject, reason]) => {
    const fields = reason === null ? noFields : { reason: String(reason) };
    // Whose log they are from is all one here. Only codes that are known were asked for: ours is compared faster than a copy.
    return { at, module: 'nbrpc', code: ownCodes.get(code) ?? code, subject, fields };
  });
}

const noFields = {};
const ownCodes: ReadonlyMap<string, EventCode> = new Map(stripCodes.map((code) => [code, code]));

const dayQuery = `SELECT json_group_array(json_array(at, id, code, subject, reason)) AS rows FROM (
  SELECT at, id, code, subject, substr(CASE WHEN json_valid(fields) THEN fields ->> 'reason' END, 1, ${longestReason}) AS reason FROM event
  WHERE at >= ? AND at < ? AND code IN (${stripCodes.map(() => '?').join(', ')})
  ORDER BY at DESC, id DESC LIMIT ?)`;

function answer(parts: readonly DayStrips[], since: number, days: number, reasons: Reasons, known: number): Strips {
  const hosts = [...new Set(parts.flatMap((part) => [...part.keys()]))].sort();
  const texts = new Reasons();
  /** Of the answer, by that of what is kept. */
  const numbers: number[] = [];
  const strips = hosts.slice(0, mostStrips).map((host): Strip => {
    const intervals: Intervals = [];
    for (const [index, part] of parts.entries()) {
      const own = part.get(host) ?? [0, unknownState, 0];
      for (let at = 0; at < own.length; at += 3) {
        const minute = index * minutesOfDay + (own[at] ?? 0);
        const reason = own[at + 2] ?? 0;
        numbers[reason] ??= texts.numberOf(reasons.texts[reason] ?? '');
        append(intervals, minute, own[at + 1] ?? 0, numbers[reason]);
      }
    }
    return { host, intervals };
  });
  return {
    since,
    days,
    states,
    reasons: texts.texts,
    strips,
    more: Math.max(0, known - strips.length),
    problem: '',
  };
}

/** Where there is no history. */
export function noStrips(now: number, days: number, problem: string): Strips {
  const since = Math.floor(now / day) * day - (days - 1) * day;
  return { since, days, states, reasons: [''], strips: [], more: 0, problem };
}
