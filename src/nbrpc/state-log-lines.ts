/** The lines of the state log: a prefix for people, a tab, and JSON; what a pass was decided from, and what came of it (pure). */
import * as v from 'valibot';
import { printable } from '../core/printable.ts';
import { canonicalAddress } from './address.ts';
import { hostNameProblem } from './host-name.ts';
import type { AddressRecord, CheckResult, HostRecord } from './model.ts';
import { parsePolicy, routes } from './policy-spec.ts';

const text = v.pipe(v.string(), v.maxLength(5000), v.transform(printable));
const time = v.pipe(v.number(), v.finite());
const host = v.pipe(
  v.string(),
  v.check((name) => hostNameProblem(name) === undefined, 'no host name'),
);
const address = v.pipe(
  v.string(),
  v.check((name) => canonicalAddress(name) === name, 'no address'),
);
const check = v.strictObject({ type: text, path: text, result: text });
const policyText = v.pipe(
  v.string(),
  v.check((spec) => spec === '' || parsePolicy(spec).ok, 'no policy'),
);
const hostState = v.nullable(v.picklist(['ok', 'failing', 'unstable', 'na']));

const result: v.GenericSchema<CheckResult> = v.variant('kind', [
  v.strictObject({ kind: v.literal('ok') }),
  v.strictObject({ kind: v.literal('fail'), reason: text }),
  v.strictObject({ kind: v.literal('none') }),
  v.strictObject({ kind: v.literal('untried'), detail: text }),
]);

const settings = v.strictObject({
  kind: v.literal('settings'),
  version: v.literal(1),
  timers: v.strictObject({
    hostAddrs: time,
    addrState: time,
    hostOkState: time,
    hostNaState: time,
    hostAddrTimeout: time,
  }),
  limits: v.strictObject({ iterHosts: time, iterAddrs: time, addrsPerHost: time }),
  defaultPolicy: v.strictObject({
    route: v.picklist(routes),
    newestOnly: v.boolean(),
    family: v.nullable(v.picklist([4, 6])),
    zoneNewest: v.boolean(),
    zoneTri: v.nullable(v.boolean()),
    zoneShuffle: v.boolean(),
  }),
});

const hostRecord: v.GenericSchema<HostRecord> = v.strictObject({
  name: host,
  order: time,
  check,
  policy: policyText,
  state: hostState,
  checked: time,
  changed: time,
  failingSince: time,
  changedCounted: time,
  failingCounted: time,
  reason: text,
});

const addressRecord: v.GenericSchema<AddressRecord> = v.strictObject({
  address,
  order: time,
  state: v.nullable(v.picklist(['ok', 'na', 'skipped'])),
  reason: text,
  seen: time,
  checked: time,
  changed: time,
  altChecked: time,
  altReason: text,
  down: time,
});

/** A host as it stands: where a replay begins. */
const state = v.strictObject({ kind: v.literal('state'), record: hostRecord, addresses: v.array(addressRecord) });

/** All that a pass was decided from. */
const inputs = v.strictObject({
  kind: v.literal('inputs'),
  now: time,
  counted: time,
  /** Hosts that lists brought or changed, and those that no list has any more. */
  listed: v.array(v.strictObject({ host, check, policy: policyText })),
  removed: v.array(host),
  resolved: v.array(v.strictObject({ host, addresses: v.array(address) })),
  checked: v.array(v.strictObject({ host, address, check, result })),
});

/** What a person or another program wants to read; a replay makes these anew. */
const hostMove = v.strictObject({
  kind: v.literal('host'),
  time,
  host,
  from: hostState,
  to: hostState,
  reason: text,
  since: time,
});
const addressMove = v.strictObject({
  kind: v.literal('address'),
  time,
  host,
  address,
  from: v.nullable(v.boolean()),
  to: v.nullable(v.boolean()),
  reason: text,
});

const line = v.variant('kind', [settings, state, inputs, hostMove, addressMove]);

export type LogLine = v.InferOutput<typeof line>;
export type SettingsLine = v.InferOutput<typeof settings>;
export type StateLine = v.InferOutput<typeof state>;
export type InputsLine = v.InferOutput<typeof inputs>;

/** Undefined for a line that is none: cut off by a crash, or of something else. */
export function parseLogLine(source: string): LogLine | undefined {
  const tab = source.indexOf('\t');
  if (tab < 0) return undefined;
  try {
    const parsed = v.safeParse(line, JSON.parse(source.slice(tab + 1)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
