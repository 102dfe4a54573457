/** What holds over any timeline of answers, results, alternative routes and expiries (fast-check). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decideAlternatives } from '../../../src/nbrpc/alt-route.ts';
import { type Checked, decide, type PassInputs, type Resolved } from '../../../src/nbrpc/decide.ts';
import type { ListReading } from '../../../src/nbrpc/lists.ts';
import { type CheckResult, type ListEntry, triOfAddress, triOfHost } from '../../../src/nbrpc/model.ts';
import { formatLines, newestSeen, policyLines } from '../../../src/nbrpc/policy.ts';
import { dueAlternatives } from '../../../src/nbrpc/schedule.ts';
import { type HostEntry, State } from '../../../src/nbrpc/state.ts';
import { policy } from './build-state.ts';

const timers = { hostAddrs: 60, addrState: 100, hostOkState: 1000, hostNaState: 500, hostAddrTimeout: 700 };
const settings = {
  timers,
  limits: { iterHosts: 99, iterAddrs: 99, addrsPerHost: 3 },
  defaultPolicy: policy('af-all'),
};
const pool = ['1.1.1.1', '1.1.1.2', '9.9.9.9', '1::1', '1::2'];
const specs = ['', 'af-any', 'af-all', 'af-pick', 'pick', 'noroute', 'af-any.1', 'af-all.1', 'af-pick.1'];

interface Step {
  readonly wait: number;
  readonly kind: 'pass' | 'alt';
  /** Bits of `pool` that DNS answers; undefined: it fails. */
  readonly dns: readonly (number | undefined)[];
  /** Index of the outcome of each host at each address. */
  readonly outcomes: readonly number[];
  /** Which hosts are resolved and which addresses checked: bits. */
  readonly hosts: number;
  readonly checks: number;
}

const hosts = ['a', 'b', 'c'];
const outcomes: readonly CheckResult[] = [
  { kind: 'ok' },
  { kind: 'fail', reason: 'tls reset' },
  { kind: 'fail', reason: 'timeout on connect' },
  { kind: 'none' },
  { kind: 'untried', detail: 'EMFILE' },
];
const step = fc.record<Step>({
  wait: fc.constantFrom(0, 1, 61, 120, 300, 499, 500, 501, 1000, 5000),
  kind: fc.constantFrom('pass', 'pass', 'pass', 'alt'),
  dns: fc.array(fc.option(fc.integer({ min: 0, max: 31 }), { nil: undefined }), { minLength: 3, maxLength: 3 }),
  outcomes: fc.array(fc.constantFrom(0, 0, 1, 1, 2, 3, 4), { minLength: 15, maxLength: 15 }),
  hosts: fc.constantFrom(7, 7, 7, 1, 2, 5),
  checks: fc.constantFrom(0x7fff, 0x7fff, 0x7fff, 0x1234, 0x00ff),
});
const timeline = fc.record({
  policies: fc.array(fc.constantFrom(...specs), { minLength: 3, maxLength: 3 }),
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
});
type Timeline = { policies: readonly string[]; steps: readonly Step[] };

function listOf(policies: readonly string[]): ListReading {
  const entries = new Map<string, ListEntry>();
  for (const [index, host] of hosts.entries()) {
    entries.set(host, { host, check: { type: 'https', path: '/', result: '' }, policy: policies[index] ?? '' });
  }
  return { path: '/a.list', kind: 'version', mtime: 1, entries, remarks: [] };
}

/** The inputs of a pass: every answer and every result, of the addresses that are known by then. */
function inputsOf(
  state: State,
  policies: readonly string[],
  { dns, outcomes: picks, hosts: bits, checks }: Step,
  now: number,
): PassInputs {
  const resolved: Resolved[] = [];
  const checked: Checked[] = [];
  const check = { type: 'https', path: '/', result: '' };
  for (const [h, host] of hosts.entries()) {
    const mask = (bits >> h) & 1 ? dns[h] : undefined;
    const answer = pool.filter((_, a) => ((mask ?? 0) >> a) & 1);
    if ((bits >> h) & 1) resolved.push({ host, addresses: answer });
    for (const [a, address] of pool.entries()) {
      const index = h * 5 + a;
      if (((checks >> index) & 1) === 0) continue;
      if (!answer.includes(address) && !state.host(host)?.addresses.has(address)) continue;
      checked.push({ host, address, check, result: outcomes[picks[index] ?? 0] ?? { kind: 'none' } });
    }
  }
  return { now, counted: now, lists: [listOf(policies)], resolved, checked, graceless: false };
}

interface Moment {
  readonly now: number;
  readonly before: ReadonlyMap<string, HostEntry>;
  readonly state: State;
  readonly decision: ReturnType<typeof decide> | undefined;
  readonly inputs: PassInputs | undefined;
}

function play(
  { policies, steps }: Timeline,
  look: (moment: Moment) => void = () => {},
  order = (inputs: PassInputs) => inputs,
): State {
  const state = new State();
  let now = 10_000;
  for (const next of steps) {
    now += next.wait;
    const before = new Map([...state.hosts()].map((entry) => [entry.record.name, entry]));
    if (next.kind === 'alt') {
      const due = dueAlternatives(state, { now, interval: 0, forced: true, limit: 99 });
      const checked = due.map(({ entry, address }): Checked => {
        const { name, check } = entry.record;
        const index = hosts.indexOf(name) * 5 + pool.indexOf(address.address);
        return {
          host: name,
          address: address.address,
          check,
          result: outcomes[next.outcomes[index] ?? 0] ?? { kind: 'none' },
        };
      });
      state.adopt(decideAlternatives(state, now, checked));
      look({ now, before, state, decision: undefined, inputs: undefined });
      continue;
    }
    const inputs = order(inputsOf(state, policies, next, now));
    const decision = decide(state, settings, inputs);
    state.adopt(decision.changes);
    look({ now, before, state, decision, inputs });
  }
  return state;
}

const snapshot = (state: State): unknown =>
  [...state.hosts()].map(({ record, addresses }) => [
    record,
    [...addresses.values()].sort((a, b) => a.order - b.order),
  ]);

describe('over any timeline', () => {
  it('a host is never na before its grace period, but for its first verdict', () => {
    const failedSince = new Map<string, number>();
    fc.assert(
      fc
        .property(timeline, (line) => {
          play(line, ({ now, before, state, decision }) => {
            if (decision === undefined) return;
            for (const { record } of state.hosts()) {
              const was = before.get(record.name)?.record.state ?? null;
              if (record.state === 'na' && was !== null && was !== 'na') {
                const since = failedSince.get(record.name);
                assert.ok(
                  since !== undefined && now - since >= timers.hostNaState,
                  `${record.name} at ${now} since ${since}`,
                );
              }
              // An ok state that was written, or a state that was never decided, starts the period anew.
              if (record.state === 'ok' || record.state === null) failedSince.delete(record.name);
              else if (!failedSince.has(record.name)) failedSince.set(record.name, now);
            }
          });
        })
        .beforeEach(() => failedSince.clear()),
      { numRuns: 600 },
    );
  });

  it('a host never becomes na in a pass in which each failing address was confirmed to be down since its check before', () => {
    fc.assert(
      fc.property(timeline, (line) => {
        play(line, ({ before, state, decision, inputs }) => {
          if (decision === undefined) return;
          const checkedNow = new Set(
            inputs?.checked
              .filter(({ result }) => result.kind === 'fail')
              .map(({ host, address }) => `${host} ${address}`),
          );
          for (const { host } of decision.hostMoves.filter((move) => move.to === 'na')) {
            const entry = state.host(host);
            const failing = [...(entry?.addresses.values() ?? [])].filter(
              (address) => triOfAddress(address.state) === false,
            );
            const confirmed = failing.filter((address) => {
              const old = before.get(host)?.addresses.get(address.address);
              return (
                old !== undefined &&
                triOfAddress(old.state) === false &&
                old.down >= old.checked &&
                checkedNow.has(`${host} ${address.address}`)
              );
            });
            assert.ok(failing.length === 0 || confirmed.length < failing.length, `${host} although all of it is down`);
          }
        });
      }),
      { numRuns: 600 },
    );
  });

  it('a host that is na leaves it only when its addresses do not ask for it, after its own wait', () => {
    fc.assert(
      fc.property(timeline, (line) => {
        play(line, ({ now, before, state, decision }) => {
          if (decision === undefined) return;
          for (const { record } of state.hosts()) {
            const old = before.get(record.name)?.record;
            if (old?.state !== 'na' || record.state === 'na') continue;
            assert.ok(now - old.changed >= Math.min(timers.hostOkState, timers.hostNaState));
          }
        });
      }),
      { numRuns: 400 },
    );
  });

  it('the outcome does not depend on the order in which answers and results arrive', () => {
    fc.assert(
      fc.property(timeline, fc.infiniteStream(fc.integer()), (line, random) => {
        const shuffle = <Item>(items: readonly Item[]): Item[] => {
          const keyed = items.map((item) => ({ item, key: random.next().value }));
          return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
        };
        const shuffled = play(line, undefined, (inputs) => ({
          ...inputs,
          resolved: shuffle(inputs.resolved).map((one) => ({ ...one, addresses: shuffle(one.addresses) })),
          checked: shuffle(inputs.checked),
        }));
        assert.deepEqual(snapshot(shuffled), snapshot(play(line)));
      }),
      { numRuns: 300 },
    );
  });

  it('the updates summed up are the policy, for every address that is known and decided', () => {
    fc.assert(
      fc.property(timeline, (line) => {
        const told = new Map<string, string>();
        // With flag 1 there is no line for what is decided for the first time when it has left DNS, by contract.
        const untold = new Set<string>();
        play(line, ({ state, decision }) => {
          for (const { host, address, verdict } of decision?.updates ?? []) {
            told.set(`${host} ${address}`, verdict);
            untold.delete(`${host} ${address}`);
          }
          for (const { host, address, from } of decision?.addressMoves ?? []) {
            const entry = state.host(host);
            const spec = entry?.record.policy ?? '';
            if (entry === undefined || from !== null || !spec.startsWith('af-') || !spec.endsWith('.1')) continue;
            const seen = entry.addresses.get(address)?.seen;
            if (seen !== newestSeen(entry.addresses.values())) untold.add(`${host} ${address}`);
          }
          for (const key of [...told.keys(), ...untold]) {
            const [host = '', address = ''] = key.split(' ');
            if (state.host(host)?.addresses.has(address) === true) continue;
            told.delete(key);
            untold.delete(key);
          }
          for (const { host, address, verdict } of policyLines(state, settings.defaultPolicy)) {
            const entry = state.host(host);
            if (triOfAddress(entry?.addresses.get(address)?.state ?? null) === null) continue;
            if (triOfHost(entry?.record.state ?? null) === null) continue;
            if (untold.has(`${host} ${address}`)) continue;
            assert.equal(told.get(`${host} ${address}`), verdict, `${host} ${address}`);
          }
        });
      }),
      { numRuns: 1000 },
    );
  });

  it('the same inputs give the same states', () => {
    fc.assert(
      fc.property(timeline, (line) => {
        const log: PassInputs[] = [];
        const alone = { ...line, steps: line.steps.filter(({ kind }) => kind === 'pass') };
        const first = play(alone, ({ inputs }) => inputs && log.push(structuredClone(inputs)));
        const again = new State();
        for (const inputs of log) again.adopt(decide(again, settings, inputs).changes);
        assert.deepEqual(snapshot(again), snapshot(first));
      }),
      { numRuns: 200 },
    );
  });

  it('the policy is told to have changed exactly when its dump differs', () => {
    fc.assert(
      fc.property(timeline, (line) => {
        let last = '';
        play(line, ({ state, decision }) => {
          const dump = formatLines(policyLines(state, settings.defaultPolicy));
          if (decision !== undefined) assert.equal(decision.policyChanged, dump !== last);
          last = dump;
        });
      }),
      { numRuns: 300 },
    );
  });
});
