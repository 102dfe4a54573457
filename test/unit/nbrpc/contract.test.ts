/** The program beside the contract's model, over random lists, answers, results, alternative routes and kinds of runs (fast-check). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { runAltRoutePass } from '../../../src/nbrpc/alt-route.ts';
import { runPass } from '../../../src/nbrpc/pass.ts';
import { formatLines, policyLines } from '../../../src/nbrpc/policy.ts';
import { printState, timeFormat } from '../../../src/nbrpc/print.ts';
import { Replay } from '../../../src/nbrpc/replay.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { policy } from './build-state.ts';
import { ContractModel, type ModelRun } from './contract-model.ts';
import { Rehearsal } from './rehearsal.ts';

const timers = { hostAddrs: 60, addrState: 100, hostOkState: 1000, hostNaState: 500, hostAddrTimeout: 700 };
const hosts = ['a.x', 'b.x', 'B'];
const pool = ['9.0.0.1', '10.0.0.1', '1::3', '1::2'];
const policies = [
  '',
  '',
  'af-any',
  'AF_ALL',
  'af-pick',
  'pick',
  'noroute',
  'af-any.1',
  'af-all.1L',
  'af-pick.1',
  '1',
  'LD4',
];
const kinds = ['https', 'https', 'https', 'http', 'dns', 'ftp'];
const results = ['', '', '', '', '200', '503/', 'na'];

const token = fc.record({
  listed: fc.constantFrom(true, true, true, true, false),
  type: fc.constantFrom(...kinds),
  result: fc.constantFrom(...results),
  policy: fc.constantFrom(...policies),
});
const item = fc.record({
  inDns: fc.constantFrom(0, 0, 0, 1, 2, 3, 7),
  code: fc.constantFrom(undefined, undefined, 200, 503, -1, 0, 0, 0),
  given: fc.constantFrom(true, true, true, true, false),
});
const run = fc.record({
  wait: fc.constantFrom(0, 1, 60, 61, 100, 300, 499, 500, 501, 1000, 1001),
  kind: fc.constantFrom('forced', 'forced', 'forced', 'forced', 'normal', 'one', 'alt', 'alt'),
  edit: fc.option(fc.array(token, { minLength: 3, maxLength: 3 }), { nil: undefined, freq: 6 }),
  items: fc.array(item, { minLength: 12, maxLength: 12 }),
  hosts: fc.constantFrom(99, 99, 99, 1, 2),
});

describe('the program', () => {
  it('does what the contract’s model does: updates, dump and print, over any runs', async () => {
    const property = fc.asyncProperty(
      fc.constantFrom('af-all', 'pick', 'af-any', 'af-pick'),
      fc.array(token, { minLength: 3, maxLength: 3 }),
      fc.array(run, { minLength: 1, maxLength: 25 }),
      async (defaultPolicy, first, runs) => {
        const limits = { iterHosts: 99, iterAddrs: 99, addrsPerHost: 2 };
        const model = new ContractModel({ ...timers, addrsPerHost: 2, defaultPolicy });
        const settings = {
          lists: ['/a.list'],
          timers,
          limits,
          defaultPolicy: policy(defaultPolicy),
          resolveTimeout: 1,
          filterAddresses: false,
        };
        const files = new FakeFiles();
        const store = StateStore.open({ store: new MemoryStore(), path: '/x.db', clock: new FakeClock() });
        const { signal } = new AbortController();
        let [now, list, last]: [number, ModelRun['list'], string] = [1_000_000, [], ''];
        for (const [turn, step] of runs.entries()) {
          now += step.wait;
          const edit = turn === 0 ? first : step.edit;
          if (edit !== undefined) {
            list = edit.flatMap(({ listed, ...rest }, h) => (listed ? [{ ...rest, host: hosts[h] ?? '' }] : []));
            const texts = list.map(({ host, type, result, policy: spec }) => `${host}>${spec}:${type}=${result}`);
            files.put('/a.list', texts.join('\n'));
          }
          const items = step.items.flatMap(({ inDns, code, given }, i) => {
            const place = { address: pool[i % 4] ?? '', ...(code === undefined ? {} : { code }) };
            const names = hosts.filter((_, h) => (inDns >> h) & 1).map((host) => ({ ...place, host }));
            return given ? (names.length > 0 ? names : [place]) : [];
          });
          const text = items.map(
            (each) =>
              `${'host' in each ? `${each.host}@` : ''}${each.address}${each.code === undefined ? '' : `=${each.code === -1 ? '' : each.code}`}`,
          );
          const replay = Replay.parse(text.join(' '), 'replay');
          if (step.kind === 'alt') {
            model.alternatives(now, items, 99);
            await runAltRoutePass(replay, store, { now, forced: true, interval: 0, limit: 99 }, signal);
          } else {
            const only = step.kind === 'one' ? { only: 'a.x' } : {};
            const expected = model.pass({
              now,
              list,
              items,
              forced: step.kind !== 'normal',
              hosts: step.hosts,
              addresses: 99,
              ...only,
            });
            const mode = {
              now,
              forced: step.kind === 'forced',
              limits: { iterHosts: step.hosts, iterAddrs: 99 },
              ...only,
            };
            const report = await runPass({ files, resolver: replay, checks: replay }, store, settings, mode, signal);
            const told = formatLines(report.updates).split('\n').filter(Boolean);
            for (const line of expected.updates) assert.ok(told.includes(line), `-X lacks ${line} at ${now}`);
            for (const line of told.filter((each) => !expected.updates.includes(each))) {
              const host = model.hosts.find(({ name }) => name === line.split(' ')[1]);
              assert.ok(
                host !== undefined && model.policy(host).route === 'af-pick' && !last.includes(line),
                `-X has ${line}`,
              );
            }
            const dump = expected.dump.join('\n');
            assert.equal(report.policyChanged, dump !== last);
            last = dump;
          }
          const dump = formatLines(policyLines(store.state, settings.defaultPolicy)).trimEnd();
          assert.equal(dump, model.dump().join('\n'));
          assert.equal(printState(store.state, { time: timeFormat('UTC'), width: 110 }), model.print());
        }
      },
    );
    await fc.assert(property, { numRuns: 600, includeErrorInReport: true });
  });

  it('decides only the hosts that this pass has resolved, and tells of all addresses that it has checked', async () => {
    const r = new Rehearsal('a>pick b', { hostNaState: 0 });
    for (const host of ['a', 'b']) r.set(host, '1.1.1.1=ok');
    await r.pass(1000);
    for (const host of ['a', 'b']) r.result(host, '1.1.1.1=na');
    const { updates } = await r.pass(1100, { limits: { iterHosts: 0, iterAddrs: 99 } });
    assert.equal(formatLines(updates), 'na a 1.1.1.1 https\n');
    assert.deepEqual([r.addresses('b'), r.host('b')], ['1.1.1.1=na', 'ok@1000']);
    await r.pass(1200, { limits: { iterHosts: 99, iterAddrs: 0 } });
    assert.deepEqual([r.host('a'), r.host('b')], ['failing@1200', 'failing@1200']);
  });

  it('comes to the same whichever name and whichever check is answered first', async () => {
    const turns = fc.array(fc.nat(6), { minLength: 40, maxLength: 40 });
    const words = fc.array(fc.constantFrom('ok', 'na', '?'), { minLength: 9, maxLength: 9 });
    const property = fc.asyncProperty(fc.array(words, { minLength: 1, maxLength: 6 }), turns, async (passes, waits) => {
      const outcome = async (wait: (n: number) => Promise<void>): Promise<unknown> => {
        const r = new Rehearsal('a>pick b>af-any c', { hostNaState: 50, hostOkState: 50 });
        let number = 0;
        r.delay = () => wait(number++);
        r.resolver.delay = () => wait(number++);
        const seen: unknown[] = [];
        for (const [turn, all] of passes.entries()) {
          for (const [h, host] of ['a', 'b', 'c'].entries()) {
            const of = (i: number): string => all[h * 3 + i] ?? '?';
            r.set(host, `1.1.1.1=${of(0)} 1.1.1.2=${of(1)} 1::1=${of(2)}`);
          }
          const { updates } = await r.pass(1000 + turn * 40);
          seen.push(
            formatLines(updates),
            r.dump(),
            ['a', 'b', 'c'].map((host) => [r.host(host), r.addresses(host)]),
          );
        }
        return seen;
      };
      const late = async (n: number): Promise<void> => {
        for (let turn = waits[n % waits.length] ?? 0; turn > 0; turn--) await Promise.resolve();
      };
      assert.deepEqual(await outcome(late), await outcome(() => Promise.resolve()));
    });
    await fc.assert(property, { numRuns: 100 });
  });
});
