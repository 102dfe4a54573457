/** The catalogue of changes that a user cares for: which log lines they are, whom they are about, and how people read them. */
import type { LogFields } from './log.ts';
import type { ModuleName } from './module.ts';

/** Who a line of the log is of: a module, or netsteward itself. */
export type EventSource = ModuleName | 'netsteward';

interface CatalogueEntry {
  /** Whose log has it; `any`: each module's and netsteward's own. */
  readonly module: EventSource | 'any';
  /** The event name of the log line. */
  readonly line: string;
  /** Fields that must be so, where several events share one name of lines. */
  readonly when?: Readonly<Record<string, string>>;
  /** The field that says whom it is about; none where it is about the module as a whole. */
  readonly subject?: string;
  /** Of a path as subject only the last part counts. */
  readonly lastPart?: true;
  /** For people; `{name}` stands for the line's field of that name, `{subject}` for the subject. */
  readonly text: string;
  /** What the text needs and what is worth keeping, beside the subject. */
  readonly fields?: readonly string[];
}

/** What dnstest tells of a resolver has a sentence of its own. */
const resolver = { module: 'dnstest', subject: 'resolver', text: '{subject}: {text}', fields: ['text'] } as const;

/** Codes are stable: they are kept in the history, and scripts and dashboards name them. */
export const eventCatalogue = {
  'service-rerouted': {
    module: 'nbrpc',
    line: 'flip',
    when: { to: 'tunnel' },
    subject: 'host',
    text: '{subject} goes through the tunnel: {reason}',
    fields: ['from', 'exit', 'reason', 'addresses', 'since', 'took'],
  },
  'service-direct': {
    module: 'nbrpc',
    line: 'flip',
    when: { to: 'direct' },
    subject: 'host',
    text: '{subject} goes direct again: {reason}',
    fields: ['from', 'reason', 'addresses', 'since', 'took'],
  },
  'service-dropped': {
    module: 'nbrpc',
    line: 'flip',
    when: { to: 'dropped' },
    subject: 'host',
    text: '{subject} is dropped: {reason}',
    fields: ['from', 'reason', 'addresses', 'since'],
  },
  'service-route-refused': {
    module: 'nbrpc',
    line: 'flip-not-applied',
    subject: 'host',
    text: '{subject} should change its route ({from} to {to}), which the kernel has not taken: {reason}',
    fields: ['from', 'to', 'reason'],
  },
  'service-works': {
    module: 'nbrpc',
    line: 'host-state',
    when: { to: 'ok' },
    subject: 'host',
    text: '{subject} works directly (before: {from})',
    fields: ['from', 'reason'],
  },
  'service-failing': {
    module: 'nbrpc',
    line: 'host-state',
    when: { to: 'failing' },
    subject: 'host',
    text: '{subject} fails on the direct route: {reason}',
    fields: ['from', 'reason'],
  },
  'service-unstable': {
    module: 'nbrpc',
    line: 'host-state',
    when: { to: 'unstable' },
    subject: 'host',
    text: '{subject} is down on every route, or without a clear result: {reason}',
    fields: ['from', 'reason'],
  },
  'service-blocked': {
    module: 'nbrpc',
    line: 'host-state',
    when: { to: 'na' },
    subject: 'host',
    text: '{subject} counts as blocked on the direct route: {reason}',
    fields: ['from', 'reason'],
  },
  'list-read': {
    module: 'nbrpc',
    line: 'check-list',
    subject: 'file',
    text: '{subject} was read: {hosts} hosts',
    fields: ['hosts'],
  },
  'services-changed': {
    module: 'nbrpc',
    line: 'hosts-changed',
    text: 'the lists changed: {added} services added, {changed} changed, {removed} removed',
    fields: ['added', 'changed', 'removed', 'hosts'],
  },
  'zone-exported': {
    module: 'nbrpc',
    line: 'zone-written',
    subject: 'file',
    text: 'the zone file {subject} was written',
  },
  'unit-rules-applied': {
    module: 'cgroup-nft',
    line: 'cgroup-applied',
    subject: 'path',
    lastPart: true,
    text: 'the rules of {subject} are in the kernel ({path}, cgroup {id})',
    fields: ['path', 'id'],
  },
  'unit-gone': {
    module: 'cgroup-nft',
    line: 'cgroup-gone',
    subject: 'path',
    lastPart: true,
    text: '{subject} has ended: its cgroup {id} is gone',
    fields: ['path', 'id'],
  },
  'rules-read': {
    module: 'cgroup-nft',
    line: 'rule-files-read',
    text: 'the rule files were read: {files}',
    fields: ['files'],
  },
  'name-moved': {
    module: 'dyndns',
    line: 'name-moved',
    subject: 'name',
    text: '{subject} moved from {from} to {to}, by key {keyId}',
    fields: ['from', 'to', 'keyId', 'zone'],
  },
  'names-published': {
    module: 'dyndns',
    line: 'published',
    text: 'the zone was published: {names}',
    fields: ['names'],
  },
  'names-withheld': {
    module: 'dyndns',
    line: 'names-withheld',
    subject: 'keyId',
    text: 'key {subject} may not move {names}',
    fields: ['names'],
  },
  'resolver-failed': { ...resolver, line: 'resolver-failed' },
  'resolver-recovered': { ...resolver, line: 'resolver-recovered' },
  'resolver-cured': { ...resolver, line: 'resolver-cured' },
  'resolver-cure': { ...resolver, line: 'resolver-cure' },
  'resolver-cure-failed': { ...resolver, line: 'resolver-cure-failed' },
  'resolver-rest': { ...resolver, line: 'resolver-rest' },
  'resolver-put-back': { ...resolver, line: 'resolver-put-back' },
  'resolver-put-back-failed': { ...resolver, line: 'resolver-put-back-failed' },
  'resolver-left-changed': { ...resolver, line: 'resolver-left-changed' },
  'resolver-excused': { ...resolver, line: 'resolver-excused' },
  'module-started': {
    module: 'netsteward',
    line: 'module-running',
    subject: 'module',
    text: '{subject} runs',
  },
  'module-ended': {
    module: 'netsteward',
    line: 'module-ended',
    subject: 'module',
    text: '{subject} ended: {reason}; it starts again in {restart_in}',
    fields: ['reason', 'restart_in'],
  },
  'module-stop-timeout': {
    module: 'netsteward',
    line: 'module-stop-timeout',
    subject: 'module',
    text: '{subject} did not stop within {after}, and was left behind',
    fields: ['after'],
  },
  'config-reloaded': {
    module: 'netsteward',
    line: 'reloaded',
    text: 'a new configuration is in force, with {modules}',
    fields: ['modules'],
  },
  'config-rejected': {
    module: 'netsteward',
    line: 'reload-rejected',
    text: 'the new configuration was not taken: {problems}',
    fields: ['problems'],
  },
  'netsteward-started': {
    module: 'netsteward',
    line: 'starting',
    text: 'netsteward {version} starts with {config}',
    fields: ['version', 'config'],
  },
  'netsteward-ready': {
    module: 'netsteward',
    line: 'ready',
    text: 'every module has applied what it wants: {modules}',
    fields: ['modules'],
  },
  'netsteward-stopping': {
    module: 'netsteward',
    line: 'stopping',
    text: 'netsteward stops',
  },
  'warning-raised': {
    module: 'any',
    line: 'warning-raised',
    subject: 'subject',
    text: '{code}: {text}',
    fields: ['code', 'text'],
  },
  'warning-cleared': {
    module: 'any',
    line: 'warning-cleared',
    subject: 'subject',
    text: '{code} is over: {text}',
    fields: ['code', 'text'],
  },
} as const satisfies Record<string, CatalogueEntry>;

export type EventCode = keyof typeof eventCatalogue;

/** One thing that changed. Plain data: it goes into the history and out as JSON. */
export interface NetstewardEvent {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly module: EventSource;
  readonly code: EventCode;
  /** A host, a unit, a name, a file, a module; empty where it is about the module as a whole. */
  readonly subject: string;
  /** Of the catalogue's names only; bounded in length. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Characters of a subject and of a field that are kept: DNS names, paths and reasons are shorter, but for hostile ones. */
const longestSubject = 512;
const longestField = 500;

const entries: readonly (readonly [EventCode, CatalogueEntry])[] = Object.entries(eventCatalogue).map(
  ([code, entry]) => [code as EventCode, entry],
);
/** Nearly every line of a busy log is no event: that must cost one look. */
const byLine = new Map<string, (readonly [EventCode, CatalogueEntry])[]>();
for (const entry of entries) byLine.set(entry[1].line, [...(byLine.get(entry[1].line) ?? []), entry]);

export const isEventCode = (text: string): text is EventCode => Object.hasOwn(eventCatalogue, text);

/** The event that a line of the log is; undefined for a line that is none. `at`: milliseconds since the epoch. */
export function eventOf(at: number, line: string, fields: LogFields): NetstewardEvent | undefined {
  for (const [code, entry] of byLine.get(line) ?? []) {
    const module = sourceOf(entry, fields);
    if (module === undefined || !holds(entry.when, fields)) continue;
    const kept = (entry.fields ?? []).flatMap((name) => {
      const value = plainText(fields[name]);
      return value === undefined ? [] : [[name, cut(value, longestField)] as const];
    });
    return { at, module, code, subject: subjectOf(entry, fields), fields: Object.fromEntries(kept) };
  }
  return undefined;
}

/** Lines of a module carry its name in `module`; the supervisor's own carry none, or the module that they are about. */
function sourceOf({ module, subject }: CatalogueEntry, fields: LogFields): EventSource | undefined {
  if (module === 'netsteward') return subject === 'module' || fields.module === undefined ? module : undefined;
  if (module === 'any') return (fields.module as ModuleName | undefined) ?? 'netsteward';
  return fields.module === module ? module : undefined;
}

function holds(when: CatalogueEntry['when'], fields: LogFields): boolean {
  return Object.entries(when ?? {}).every(([name, value]) => fields[name] === value);
}

function subjectOf({ subject, lastPart }: CatalogueEntry, fields: LogFields): string {
  const text = subject === undefined ? '' : (plainText(fields[subject]) ?? '');
  return cut(lastPart ? (text.split('/').at(-1) ?? '') : text, longestSubject);
}

function plainText(value: unknown): string | undefined {
  if (!Array.isArray(value)) return wordOf(value);
  // Not every object has a text: one without a prototype throws.
  const words = value.slice(0, 10).map((each) => wordOf(each) ?? '?');
  return words.join(', ') + (value.length > 10 ? `, and ${value.length - 10} more` : '');
}

function wordOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Never between the halves of a surrogate pair: what is left would have no UTF-8 form. */
function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** For people, as one line; it may hold what others wrote (printable() before a terminal sees it). */
export function eventText({ code, subject, fields }: Pick<NetstewardEvent, 'code' | 'subject' | 'fields'>): string {
  const { text }: CatalogueEntry = eventCatalogue[code];
  return text.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === 'subject' ? subject : Object.hasOwn(fields, name) ? (fields[name] ?? '') : '(unknown)',
  );
}
