/** Whole passes: lists, names, checks, states, dump and updates, as the contract tells them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatLines } from '../../../src/nbrpc/policy.ts';
import { policy } from './build-state.ts';
import { Rehearsal } from './rehearsal.ts';

const update = (report: { updates: Parameters<typeof formatLines>[0] }): string => formatLines(report.updates);

describe('lists', () => {
  it('are read again when their time differs by 10 ms or more, and the time outlives a restart', async () => {
    const r = new Rehearsal();
    r.files.put('/a.list', 'a', 5_000_000);
    await r.pass(10);
    r.files.put('/a.list', 'a b', 5_000_009);
    await r.pass(20);
    assert.equal(r.host('b'), 'gone');
    r.files.put('/a.list', 'a b', 5_000_010);
    await r.pass(30);
    assert.equal(r.host('b'), 'null@0');
    assert.deepEqual(r.files.reads, ['/a.list', '/a.list']);
  });

  it('that are missing are empty: hosts go with their addresses, and come back without a memory', async () => {
    const r = new Rehearsal('a');
    r.set('a', '1.1.1.1=na');
    await r.pass(10);
    assert.equal(r.dump(), 'na a 1.1.1.1 https\n');
    r.files.remove('/a.list');
    const report = await r.pass(20);
    assert.deepEqual([report.missing, report.lists.removed, report.policyChanged], [['/a.list'], ['a'], true]);
    assert.equal(r.dump(), '');
    r.files.put('/a.list', 'a');
    r.resolver.fail('a', 'timeout');
    await r.pass(30);
    assert.equal(r.addresses('a'), '');
  });

  it('with one bad token are rejected as a whole, and the version before stays in force', async () => {
    const r = new Rehearsal('a b');
    await r.pass(10);
    r.files.put('/a.list', 'c\nd=x');
    const report = await r.pass(20);
    assert.deepEqual(
      report.rejected.map(({ problems }) => problems[0]?.line),
      [2],
    );
    assert.deepEqual([r.host('a'), r.host('c')], ['null@0', 'gone']);
    r.files.put('/a.list', 'c');
    await r.pass(30);
    assert.deepEqual([r.host('a'), r.host('c')], ['gone', 'null@0']);
  });

  it('that cannot be read leave their version before in force', async () => {
    const r = new Rehearsal('a');
    await r.pass(10);
    r.files.put('/a.list', 'b');
    r.files.fail('/a.list', 'EACCES');
    assert.match((await r.pass(20)).rejected[0]?.problems[0]?.message ?? '', /cannot be read: EACCES/);
    assert.equal(r.host('a'), 'null@0');
    r.files.fail('/a.list', undefined);
    await r.pass(30);
    assert.equal(r.host('a'), 'gone');
  });

  it('that are not named any more take their hosts with them', async () => {
    const r = new Rehearsal('a');
    r.files.put('/b.list', 'b');
    r.settings = { ...r.settings, lists: ['/a.list', '/b.list'] };
    await r.pass(10);
    r.settings = { ...r.settings, lists: ['/b.list'] };
    await r.pass(20);
    assert.deepEqual([r.host('a'), r.host('b')], ['gone', 'null@0']);
  });

  it('that share a host keep it until none has it; the later list decides how it is checked', async () => {
    const r = new Rehearsal('a=200');
    r.files.put('/b.list', 'a=404>');
    r.files.put('/b.list', 'a=404');
    r.settings = { ...r.settings, lists: ['/a.list', '/b.list'] };
    await r.pass(10);
    assert.equal(r.store.state.host('a')?.record.check.result, '404');
    r.files.put('/b.list', '');
    await r.pass(20);
    assert.equal(r.store.state.host('a')?.record.check.result, '200');
    r.files.put('/a.list', '');
    await r.pass(30);
    assert.equal(r.host('a'), 'gone');
  });

  it('that change a host make it unknown and due, and its addresses keep their states', async () => {
    const r = new Rehearsal('a b');
    r.set('a', '1.1.1.1=na');
    r.set('b', '1.1.1.2=ok');
    await r.pass(1000);
    r.result('a', '1.1.1.1=ok');
    r.files.put('/a.list', 'a>pick b');
    const report = await r.pass(2000, { forced: false, limits: { iterHosts: 0, iterAddrs: 0 } });
    assert.deepEqual(report.lists.changed, ['a']);
    assert.deepEqual([r.host('a'), r.host('b'), r.addresses('a')], ['null@0', 'ok@1000', '1.1.1.1=na']);
    assert.equal(r.store.state.host('a')?.record.checked, 0);
  });
});

describe('names and addresses', () => {
  it('that fail to resolve leave the known addresses, which age out', async () => {
    const r = new Rehearsal('a', { hostAddrTimeout: 5000 });
    r.set('a', '1.1.1.1=ok');
    await r.pass(1000);
    r.resolver.fail('a', 'timeout', 'after 10s');
    const report = await r.pass(6000);
    assert.equal(report.resolved[0]?.failure, 'timeout, after 10s');
    assert.equal(r.addresses('a'), '1.1.1.1=ok');
    const last = await r.pass(6001);
    assert.equal(r.addresses('a'), '');
    assert.deepEqual([...last.expired], [['a', ['1.1.1.1']]]);
    assert.equal(last.policyChanged, true);
    assert.equal(update(last), '');
  });

  it('are kept up to the limit for each host, the oldest answers going first', async () => {
    const r = new Rehearsal('a');
    r.settings = { ...r.settings, limits: { ...r.settings.limits, addrsPerHost: 2 } };
    r.set('a', '1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4');
    await r.pass(10);
    assert.equal(r.store.state.host('a')?.addresses.size, 4);
    r.set('a', '1.1.1.5');
    await r.pass(20);
    assert.equal(r.store.state.host('a')?.addresses.size, 5);
    r.set('a', '1.1.1.6');
    await r.pass(30);
    r.set('a', '1.1.1.7');
    await r.pass(40);
    assert.deepEqual([...(r.store.state.host('a')?.addresses.keys() ?? [])], ['1.1.1.5', '1.1.1.6', '1.1.1.7']);
  });

  it('are checked when they are due, and hosts resolved when they are due, within the limits', async () => {
    const r = new Rehearsal('a b c');
    for (const [index, name] of ['a', 'b', 'c'].entries()) r.set(name, `1.1.1.${index}=ok`);
    const normal = { forced: false, limits: { iterHosts: 2, iterAddrs: 1 } };
    await r.pass(100_000, normal);
    assert.deepEqual(
      r.resolver.requests.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.deepEqual(r.checkedTargets, ['a 1.1.1.0']);
    await r.pass(100_240, normal);
    assert.deepEqual(
      r.resolver.requests.map(({ name }) => name),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(r.checkedTargets, ['a 1.1.1.0', 'b 1.1.1.1']);
    await r.pass(100_420, normal);
    assert.deepEqual(
      r.resolver.requests.map(({ name }) => name),
      ['a', 'b', 'c', 'a', 'b'],
    );
    assert.deepEqual(r.checkedTargets, ['a 1.1.1.0', 'b 1.1.1.1', 'c 1.1.1.2']);
    await r.pass(153_999, normal);
    assert.equal(r.checkedTargets.length, 3);
    await r.pass(154_000, normal);
    assert.equal(r.checkedTargets.at(-1), 'a 1.1.1.0');
  });

  it('of a host that is not checked (na, dns, unknown type) get their result without a run', async () => {
    const r = new Rehearsal('a=na b:dns c:ftp d:dns=na');
    for (const name of ['a', 'b', 'c', 'd']) r.set(name, '1.1.1.1=ok');
    await r.pass(10);
    assert.deepEqual([r.host('a'), r.host('b'), r.host('c'), r.host('d')], ['na@10', 'ok@10', 'unstable@10', 'na@10']);
    assert.deepEqual(r.checkedTargets, []);
    assert.equal(r.addresses('c'), '1.1.1.1=null');
  });

  it('keep results of several hosts at one address apart', async () => {
    const r = new Rehearsal('a b');
    r.set('a', '1.1.1.1=ok');
    r.set('b', '1.1.1.1=na');
    await r.pass(10);
    assert.deepEqual([r.host('a'), r.host('b')], ['ok@10', 'na@10']);
  });

  it('that leave DNS are still checked, and still count', async () => {
    const r = new Rehearsal('a');
    r.set('a', '1.1.1.1=ok');
    await r.pass(10);
    r.set('a', '1.1.1.2=ok');
    r.result('a', '1.1.1.1=na');
    await r.pass(20);
    assert.equal(r.host('a'), 'failing@20');
    assert.equal(r.dump(), 'ok a 1.1.1.1 https\nok a 1.1.1.2 https\n');
  });
});

describe('the host state', () => {
  it('follows the contract’s worked timeline', async () => {
    const r = new Rehearsal('a', { hostNaState: 500, hostOkState: 1000, hostAddrTimeout: 5000 });
    const tick = (n: number): number => n * 61;
    const at = async (n: number, text: string): Promise<string> => {
      r.set('a', text);
      const report = await r.pass(tick(n));
      return `${r.host('a').split('@')[0]} ${update(report) === '' ? 'silent' : 'told'}`;
    };
    const good = '1.1.1.1=ok 1.1.1.2=ok 1.1.1.3=ok';
    assert.equal(await at(1, good), 'ok told');
    assert.equal(await at(10, '1.1.1.1=na 1.1.1.2=na 1.1.1.3=ok'), 'failing silent');
    assert.equal(await at(15, '1.1.1.1=na 1.1.1.2=ok 1.1.1.3=ok'), 'failing silent');
    assert.equal(await at(20, '1.1.1.1=na 1.1.1.2=na 1.1.1.3=ok'), 'na told');
    assert.equal(await at(30, good), 'na silent');
    assert.equal(await at(40, good), 'ok told');
    assert.equal(await at(41, '1.1.1.1=na 1.1.1.2=ok 1.1.1.3=ok'), 'failing silent');
    assert.equal(await at(43, '1.1.1.1=na 1.1.1.2=ok 1.1.1.3=ok'), 'failing silent');
    // Another address fails instead: one failure since t41, so t50 (549 s later) is past the wait.
    assert.equal(await at(50, '1.1.1.1=ok 1.1.1.2=na 1.1.1.3=ok'), 'na told');
    // The bad address leaves DNS, and counts until it is forgotten after 5000 s.
    assert.equal(await at(51, '1.1.1.1=ok 1.1.1.3=ok'), 'na silent');
    assert.equal(await at(131, '1.1.1.1=ok 1.1.1.3=ok'), 'na silent');
    assert.equal(r.store.state.host('a')?.addresses.has('1.1.1.2'), true);
    assert.equal(await at(132, '1.1.1.1=ok 1.1.1.3=ok'), 'ok told');
    assert.equal(r.store.state.host('a')?.addresses.has('1.1.1.2'), false);
  });

  it('of one forced host follows without grace: an ok host needs two passes', async () => {
    const r = new Rehearsal('a b');
    r.set('a', '1.1.1.1=ok');
    r.set('b', '1.1.1.2=ok');
    await r.pass(10);
    r.result('a', '1.1.1.1=na');
    r.result('b', '1.1.1.2=na');
    await r.pass(20, { only: 'a' });
    assert.deepEqual([r.host('a'), r.host('b')], ['failing@20', 'ok@10']);
    await r.pass(20, { only: 'a' });
    assert.equal(r.host('a'), 'na@20');
    r.result('a', '1.1.1.1=ok');
    await r.pass(21, { only: 'a' });
    assert.deepEqual([r.host('a'), r.host('b')], ['ok@21', 'ok@10']);
  });

  it('does not go to na for what is down on the other route too, and does once that is not confirmed any more', async () => {
    const r = new Rehearsal('a', { hostNaState: 500 });
    r.set('a', '1.1.1.1=ok');
    await r.pass(100);
    r.result('a', '1.1.1.1=na');
    await r.pass(200);
    assert.equal(r.host('a'), 'failing@200');
    await r.alt(250);
    await r.pass(900);
    assert.equal(r.host('a'), 'unstable@900');
    await r.alt(950);
    await r.pass(1500);
    assert.equal(r.host('a'), 'unstable@1500');
    // Not confirmed any more: now it counts, with a grace period of its own.
    await r.pass(1600);
    await r.pass(2099);
    assert.equal(r.host('a'), 'unstable@1500');
    await r.pass(2100);
    assert.equal(r.host('a'), 'na@2100');
  });

  it('goes to na for another address although one is down everywhere', async () => {
    const r = new Rehearsal('a', { hostNaState: 500 });
    r.set('a', '1.1.1.1=ok 1.1.1.2=ok');
    await r.pass(100);
    r.set('a', '1.1.1.1=na 1.1.1.2=na');
    await r.pass(200);
    r.result('a', '1.1.1.2=ok');
    await r.alt(250);
    r.result('a', '1.1.1.2=na');
    await r.pass(300);
    assert.equal(r.host('a'), 'unstable@300');
    assert.equal((await r.pass(700)).updates.length, 2);
    assert.equal(r.host('a'), 'na@700');
  });

  it('is not touched by the alternative route where it is ok or na already', async () => {
    const r = new Rehearsal('a b');
    r.set('a', '1.1.1.1=na');
    r.set('b', '1.1.1.2=ok');
    await r.pass(100);
    await r.alt(150);
    assert.deepEqual(r.checkedTargets, ['a 1.1.1.1', 'b 1.1.1.2']);
  });
});

describe('updates', () => {
  it('are none where nothing is decided anew, nor for failing and back', async () => {
    const r = new Rehearsal('a');
    r.set('a', '1.1.1.1=ok');
    assert.equal(update(await r.pass(10)), 'ok a 1.1.1.1 https\n');
    assert.equal(update(await r.pass(20)), '');
    r.result('a', '1.1.1.1=na');
    assert.equal(update(await r.pass(30)), '');
    r.result('a', '1.1.1.1=ok');
    assert.equal(update(await r.pass(40)), '');
  });

  it('have all addresses of a host that flips, in the order of the dump', async () => {
    const r = new Rehearsal('b a', { hostNaState: 0 });
    r.set('a', '9.0.0.1=ok 10.0.0.1=ok 1::3=ok');
    r.set('b', '1.1.1.1=ok');
    const first = await r.pass(10);
    assert.equal(update(first), 'ok a 10.0.0.1 https\nok a 1::3 https\nok a 9.0.0.1 https\nok b 1.1.1.1 https\n');
    r.result('a', '1::3=na');
    await r.pass(20);
    assert.equal(update(await r.pass(30)), 'na a 10.0.0.1 https\nna a 1::3 https\nna a 9.0.0.1 https\n');
  });

  it('have a new address of a host whose state stays, with af-any and af-all', async () => {
    for (const spec of ['af-any', 'af-all']) {
      const r = new Rehearsal(`a>${spec}`);
      r.set('a', '1.1.1.1=ok');
      await r.pass(10);
      r.set('a', '1.1.1.1=ok 1.1.1.2=ok');
      assert.equal(update(await r.pass(20)), 'ok a 1.1.1.2 https\n');
    }
  });

  it('have each address that changes, with pick and noroute', async () => {
    const r = new Rehearsal('a>pick b>noroute');
    r.set('a', '1.1.1.1=ok 1.1.1.2=ok');
    r.set('b', '1.1.1.3=ok');
    await r.pass(10);
    r.result('a', '1.1.1.2=na');
    r.result('b', '1.1.1.3=na');
    assert.equal(update(await r.pass(20)), 'na a 1.1.1.2 https\nok b 1.1.1.3 https\n');
  });

  it('have whole hosts and single addresses together', async () => {
    const r = new Rehearsal('a c>pick', { hostNaState: 0 });
    r.set('a', '1.1.1.1=ok 1.1.1.2=ok');
    r.set('c', '1.1.1.3=ok 1.1.1.4=ok');
    await r.pass(10);
    r.result('a', '1.1.1.1=na');
    await r.pass(20);
    r.result('c', '1.1.1.4=na');
    assert.equal(update(await r.pass(30)), 'na a 1.1.1.1 https\nna a 1.1.1.2 https\nna c 1.1.1.4 https\n');
  });

  it('flip families at once with af-pick while the host is blocked, and nothing while it counts as working', async () => {
    const r = new Rehearsal('a>af-pick', { hostNaState: 0 });
    r.set('a', '1.1.1.1=na 1::1=ok');
    assert.equal(update(await r.pass(10)), 'na a 1.1.1.1 https\nok a 1::1 https\n');
    r.result('a', '1::1=na');
    assert.equal(update(await r.pass(20)), 'na a 1.1.1.1 https\nna a 1::1 https\n');
    r.result('a', '1.1.1.1=ok');
    assert.equal(update(await r.pass(30)), 'ok a 1.1.1.1 https\nna a 1::1 https\n');

    const working = new Rehearsal('a>af-pick');
    working.set('a', '1.1.1.1=ok 1::1=ok');
    await working.pass(10);
    working.set('a', '1.1.1.1=na 1::1=ok 1::2=ok');
    assert.equal(update(await working.pass(20)), 'ok a 1::2 https\n');
  });

  it('skip an address that has left DNS, with flag 1', async () => {
    const r = new Rehearsal('a>af-all.1');
    r.set('a', '1.1.1.1=ok 1.1.1.2');
    await r.pass(10);
    r.set('a', '1.1.1.1=ok');
    r.result('a', '1.1.1.2=ok');
    assert.equal(update(await r.pass(20)), '');
    const plain = new Rehearsal('a');
    plain.set('a', '1.1.1.1=ok 1.1.1.2');
    await plain.pass(10);
    plain.set('a', '1.1.1.1=ok');
    plain.result('a', '1.1.1.2=ok');
    // The host was unstable, which is a return to ok that is not reported; the address is told because it is new.
    assert.equal(update(await plain.pass(20)), 'ok a 1.1.1.2 https\n');
  });
});

describe('a pass', () => {
  it('uses one time for all that it writes, and saves nothing when it is aborted', async () => {
    const r = new Rehearsal('a');
    r.set('a', '1.1.1.1=ok');
    r.settings = { ...r.settings, defaultPolicy: policy('pick') };
    const stop = new AbortController();
    const { files, resolver } = r;
    r.delay = () => {
      stop.abort(new Error('stopped'));
      return Promise.resolve();
    };
    const { runPass } = await import('../../../src/nbrpc/pass.ts');
    const mode = { now: 10, forced: true };
    await assert.rejects(runPass({ files, resolver, checks: r }, r.store, r.settings, mode, stop.signal), /stopped/);
    assert.equal(r.host('a'), 'gone');
    r.delay = () => Promise.resolve();
    await r.pass(30);
    const entry = r.store.state.host('a');
    const address = entry?.addresses.get('1.1.1.1');
    assert.deepEqual(
      [entry?.record.checked, entry?.record.changed, address?.seen, address?.checked, address?.changed],
      [30, 30, 30, 30, 30],
    );
  });

  it('that cannot be saved changes nothing, and the next one makes up for it', async () => {
    const r = new Rehearsal('a');
    r.set('a', '1.1.1.1=ok');
    await r.pass(10);
    r.result('a', '1.1.1.1=na');
    r.disk.failWrites({ errcode: 13, message: 'database or disk is full' });
    await assert.rejects(r.pass(20), {
      code: 'state-not-saved',
      message: /state\.db cannot be written: .*disk is full/,
    });
    assert.equal(r.host('a'), 'ok@10');
    r.disk.failWrites(undefined);
    await r.pass(30);
    assert.equal(r.host('a'), 'failing@30');
  });
});
