/** What can be asked of the history: a question as a value, as SQL, and held against one event (pure). */
import { type EventSource, isEventCode, type NetstewardEvent } from '../core/events.ts';
import type { SqlRow } from '../system/ports.ts';

/** Absent: all. */
export interface EventQuery {
  /** Milliseconds since the epoch, included. */
  readonly since?: number;
  /** Not included. */
  readonly until?: number;
  readonly module?: string;
  /** As a whole: a host, a unit, a name. */
  readonly subject?: string;
  readonly codes?: readonly string[];
  /** The newest so many. */
  readonly limit: number;
}

export interface Sql {
  readonly text: string;
  readonly parameters: readonly (string | number)[];
}

/** Newest first. */
export function selectEvents(query: EventQuery): Sql {
  const { since, until, module, subject, codes, limit } = query;
  const conditions: string[] = [];
  const parameters: (string | number)[] = [];
  const add = (condition: string, ...values: (string | number)[]): void => {
    conditions.push(condition);
    parameters.push(...values);
  };
  if (since !== undefined) add('at >= ?', since);
  if (until !== undefined) add('at < ?', until);
  if (module !== undefined) add('module = ?', module);
  if (subject !== undefined) add('subject = ?', subject);
  if (codes !== undefined) add(`code IN (${codes.map(() => '?').join(', ')})`, ...codes);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return {
    text: `SELECT at, module, code, subject, fields FROM event${where} ORDER BY at DESC, id DESC LIMIT ?`,
    parameters: [...parameters, limit],
  };
}

/**
 * The last event before `at` of each subject and of each kind (a list of codes), the oldest first. It jumps from subject to
 * subject through the index: a walk through all events would hold up the supervisor's loop.
 */
export function selectLatest(at: number, kinds: readonly (readonly string[])[]): Sql {
  const last = (codes: readonly string[]): string =>
    `SELECT (SELECT id FROM event WHERE subject = subjects.name AND at < ? AND code IN (${codes.map(() => '?').join(', ')})
      ORDER BY at DESC, id DESC LIMIT 1) FROM subjects WHERE name IS NOT NULL`;
  const text = `WITH RECURSIVE subjects (name) AS (
      SELECT min(subject) FROM event
      UNION ALL
      SELECT (SELECT min(subject) FROM event WHERE subject > name) FROM subjects WHERE name IS NOT NULL
    )
    SELECT at, module, code, subject, fields FROM event
    WHERE id IN (${kinds.map(last).join('\n UNION ALL ')}) ORDER BY at, id`;
  return { text, parameters: kinds.flatMap((codes) => [at, ...codes]) };
}

/** Whether the event is one of those that are asked for, whatever the limit. */
export function matches(query: EventQuery, { at, module, subject, code }: NetstewardEvent): boolean {
  return (
    at >= (query.since ?? Number.NEGATIVE_INFINITY) &&
    at < (query.until ?? Number.POSITIVE_INFINITY) &&
    (query.module === undefined || query.module === module) &&
    (query.subject === undefined || query.subject === subject) &&
    (query.codes === undefined || query.codes.includes(code))
  );
}

/** Undefined for a code that this version does not know, and for what no netsteward has written. */
export function eventOfRow({ at, module, code, subject, fields }: SqlRow): NetstewardEvent | undefined {
  if (typeof code !== 'string' || !isEventCode(code)) return undefined;
  const kept = fieldsOf(String(fields));
  if (kept === undefined) return undefined;
  return { at: Number(at), module: module as EventSource, code, subject: String(subject), fields: kept };
}

function fieldsOf(text: string): Readonly<Record<string, string>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.values(value).every((each) => typeof each === 'string')
      ? (value as Record<string, string>)
      : undefined;
  } catch {
    return undefined;
  }
}
