/** packaging/netsteward.service under real systemd: readiness, rights, reload, what cannot start, and the stop. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mustStartFailed } from '../../src/cli/run-exit.ts';
import { exitCodes } from '../../src/core/exit-codes.ts';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import {
  bootService,
  cgroupNft,
  cgroupNftPid,
  configFile,
  dyndns,
  nbrpc,
  nbrpcWithoutItsSet,
  property,
  said,
  start,
  states,
  status,
  trees,
  unit,
} from './netsteward-service.ts';

const tables = (box: Container): Promise<string> => box.run(['nft', 'list', 'tables']);

for (const tree of trees)
  describe(`netsteward.service of packaging/, tree ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      box = await bootService(nbrpc + cgroupNft, { tree });
    });
    after(() => box?.stop());

    test('it counts as started once each module has applied its first reconcile', async () => {
      await start(box);
      const listed = await tables(box);
      assert.match(listed, /table inet netsteward-nbrpc/);
      assert.match(listed, /table inet netsteward-units/);
      assert.deepEqual(await states(box), ['nbrpc running', 'cgroup-nft running']);
      assert.match(await property(box, 'StatusText'), /^nbrpc: .*; cgroup-nft: /);
    });

    test('it is nobody but its own user, with two capabilities, and none for what it starts beyond them', async () => {
      for (const pid of [await property(box, 'MainPID'), await cgroupNftPid(box)]) {
        const facts = await box.read(`/proc/${pid}/status`);
        assert.doesNotMatch(facts, /^Uid:\t0/m);
        // CAP_NET_ADMIN 12, CAP_SYS_NICE 23 (linux/capability.h).
        for (const set of ['CapEff', 'CapBnd', 'CapAmb'])
          assert.match(facts, new RegExp(`^${set}:\t0{10}801000$`, 'm'));
        assert.match(facts, /^NoNewPrivs:\t1$/m);
        assert.match(facts, /^Seccomp:\t2$/m);
      }
      assert.equal((await box.run(['stat', '-c', '%U %a', '/var/lib/netsteward'])).trim(), 'netsteward 750');
    });

    test('cgroup-nft has the priority that it asks for, and may read the journal', async () => {
      const pid = await cgroupNftPid(box);
      const facts = (await box.read(`/proc/${pid}/stat`)).replace(/^.*\) /s, '').split(' ');
      // proc(5), /proc/PID/stat: nice is the 19th field, the scheduling policy the 41st; SCHED_RR is 2.
      assert.deepEqual([facts[16], facts[38]], ['-20', '2']);
      const group = (await box.run(['getent', 'group', 'systemd-journal'])).split(':')[2];
      assert.match(await box.read(`/proc/${pid}/status`), new RegExp(`^Groups:.*\\b${group}\\b`, 'm'));
      assert.doesNotMatch(await said(box), /not permitted|denied/);
      assert.deepEqual(
        (await status(box)).warnings.map(({ code }) => code).filter((code) => code !== 'own-side-broken'),
        [],
      );
    });

    test('a reload with a mistake fails with its place, and everything stays', async () => {
      const pid = await property(box, 'MainPID');
      await box.write(configFile, `${nbrpc}colour = 1\n${cgroupNft}`);
      assert.notEqual((await box.exec(['systemctl', 'reload', unit])).code, 0);
      assert.match(await said(box), /netsteward\.toml:3:1: nbrpc\.colour: unknown key/);
      assert.deepEqual(await states(box), ['nbrpc running', 'cgroup-nft running']);
      assert.deepEqual([await property(box, 'ActiveState'), await property(box, 'MainPID')], ['active', pid]);
      assert.equal((await status(box)).lastReload?.ok, false);
    });

    test('SIGHUP does the same, and systemd knows it as active again', async () => {
      const before = (await status(box)).lastReload?.at;
      await box.run(['systemctl', 'kill', '--kill-whom=main', '--signal=HUP', unit]);
      await eventually('it was refused again', async () => (await status(box)).lastReload?.at !== before);
      await eventually('active', async () => (await property(box, 'SubState')) === 'running');
      assert.deepEqual(await states(box), ['nbrpc running', 'cgroup-nft running']);
    });

    test('a reload adds a module and removes another one', async () => {
      await box.write('/var/lib/netsteward/zone', '+home.example.org:127.0.0.5:300\n');
      await box.run(['chown', 'netsteward:', '/var/lib/netsteward/zone']);
      await box.write(configFile, cgroupNft + dyndns);
      const pid = await cgroupNftPid(box);
      assert.equal((await box.exec(['systemctl', 'reload', unit])).code, 0, await said(box));
      assert.deepEqual(await states(box), ['cgroup-nft running', 'dyndns running']);
      assert.equal(await cgroupNftPid(box), pid, 'the one that stays goes on');
      assert.equal((await box.exec(['pgrep', '-f', 'nft-agent'])).code, 1, 'nothing is left of the other one');
    });

    test('a module that is added and cannot start makes the reload fail, and nothing changes', async () => {
      await box.write(configFile, nbrpcWithoutItsSet + cgroupNft + dyndns);
      assert.notEqual((await box.exec(['systemctl', 'reload', unit])).code, 0);
      assert.match(await said(box), /nbrpc: the ruleset has no table inet filter/);
      assert.deepEqual(await states(box), ['cgroup-nft running', 'dyndns running']);
    });

    test('a stop ends all of it within its time, without a failure', async () => {
      await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
      assert.deepEqual([await property(box, 'Result'), await property(box, 'ExecMainStatus')], ['success', '0']);
      assert.match(await said(box), /stopped/);
      assert.equal((await box.exec(['pgrep', '-u', 'netsteward'])).code, 1);
    });
  });

for (const tree of trees)
  describe(`a module of netsteward.service that cannot start, tree ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      box = await bootService(nbrpcWithoutItsSet + cgroupNft, { tree });
    });
    after(() => box?.stop());

    test('does not keep the others from starting, and STATUS and log say why it does not run', async () => {
      await start(box);
      assert.match(await tables(box), /table inet netsteward-units/);
      await eventually('cgroup-nft runs', async () => (await states(box))[1] === 'cgroup-nft running');
      assert.equal((await status(box)).ready, false);
      assert.match(await property(box, 'StatusText'), /^nbrpc: ended \(the ruleset has no table inet filter/);
      assert.match(await said(box), /nbrpc ended: the ruleset has no table inet filter/);
      await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
    });

    test('ends the start where it must start, is tried again by systemd, and all is well once it can', async () => {
      await box.write(configFile, `[supervisor]\nmust_start = ["nbrpc"]\n${nbrpcWithoutItsSet}${cgroupNft}`);
      assert.notEqual((await box.exec(['systemctl', 'start', unit], { timeout: 120_000 })).code, 0);
      assert.match(await said(box), /must-start-failed .*nbrpc cannot start: the ruleset has no table inet filter/);
      assert.equal(await property(box, 'ExecMainStatus'), String(mustStartFailed));
      await box.run(['nft', 'add table inet filter; add set inet filter b4 { type ipv4_addr; }']);
      await eventually('it runs', async () => (await property(box, 'ActiveState')) === 'active', { seconds: 90 });
      assert.deepEqual(await states(box), ['nbrpc running', 'cgroup-nft running']);
      assert.notEqual(await property(box, 'NRestarts'), '0');
      await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
    });

    test('a wrong configuration ends the start with 78, and is not tried again', async () => {
      await box.write(configFile, 'colour = 1\n');
      assert.notEqual((await box.exec(['systemctl', 'start', unit])).code, 0);
      assert.equal(await property(box, 'ExecMainStatus'), String(exitCodes.config));
      assert.equal(await property(box, 'ActiveState'), 'failed');
      assert.match(await said(box), /netsteward\.toml:1:1: colour: unknown key/);
    });
  });
