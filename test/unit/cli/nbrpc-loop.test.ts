/** The passes of `netsteward nbrpc` on a clock of their own: when they come, what signals and gates change, what the hooks are told. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Command } from 'commander';
import { type NbrpcFlags, registerNbrpc } from '../../../src/cli/nbrpc.ts';
import { NbrpcLoop } from '../../../src/cli/nbrpc-loop.ts';
import { parseControl, parseSettings } from '../../../src/cli/nbrpc-settings.ts';
import { Signals } from '../../../src/cli/nbrpc-signals.ts';
import { openSources } from '../../../src/cli/nbrpc-sources.ts';
import type { CheckResult } from '../../../src/nbrpc/model.ts';
import type { OwnSide } from '../../../src/nbrpc/own-side.ts';
import { formatLines, policyLines } from '../../../src/nbrpc/policy.ts';
import { StateStore } from '../../../src/nbrpc/store.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

/** The flags of a command line, as commander gives them. */
function flagsOf(...words: string[]): NbrpcFlags {
  const program = new Command();
  registerNbrpc(program);
  const [command] = program.commands;
  assert.ok(command !== undefined);
  command.parseOptions(words);
  return command.opts();
}

const open: Signals[] = [];
// A handler that stays would keep the test process from being stopped.
afterEach(() => {
  for (const signals of open.splice(0)) signals.close();
});

/** One daemon with everything around it in memory. */
class Daemon {
  readonly clock = new FakeClock();
  readonly files = new FakeFiles();
  readonly resolver = new FakeResolver();
  readonly results = new Map<string, CheckResult>();
  readonly store = new MemoryStore();
  readonly signals = new Signals();
  readonly said: string[] = [];
  readonly told: string[] = [];
  checked = 0;
  reopened = 0;
  ownSide: OwnSide = { ok: true };
  hookFailure: string | undefined;
  ended: number | undefined;

  constructor() {
    open.push(this.signals);
    this.files.put('/a.list', 'a');
    this.resolver.answer('a', '1.1.1.1');
    this.result('a', 'ok');
  }

  result(host: string, word: 'ok' | 'na'): void {
    this.results.set(host, word === 'ok' ? { kind: 'ok' } : { kind: 'fail', reason: 'tls reset' });
  }

  /** Another process with the same state file. */
  openStore(): StateStore {
    return StateStore.open({ store: this.store, path: '/state.db', clock: this.clock });
  }

  start(...words: string[]): StateStore {
    const flags = flagsOf('-f', '/a.list', ...words);
    const settings = parseSettings(flags);
    const { clock, files, resolver, signals } = this;
    const check = (target: { host: string }): Promise<CheckResult> => {
      this.checked += 1;
      return Promise.resolve(this.results.get(target.host) ?? { kind: 'none' });
    };
    const tell = (name: string) => (lines: string) => {
      this.told.push(`${name} ${lines.replaceAll('\n', ';')}`);
      return this.hookFailure === undefined ? Promise.resolve() : Promise.reject(new Error(this.hookFailure));
    };
    const store = this.openStore();
    const loop = new NbrpcLoop({
      flags,
      settings,
      clock,
      files,
      signals,
      store,
      reopen: () => {
        this.reopened += 1;
        return this.openStore();
      },
      sources: { resolver, checks: { check }, rehearsal: true, ownSide: () => Promise.resolve(this.ownSide) },
      hooks: {
        update: tell('X'),
        replace: tell('x'),
        dump: (state) => formatLines(policyLines(state, settings.defaultPolicy)),
      },
      say: (level, text) => this.said.push(`${level}: ${text}`),
    });
    void loop.run().then((code) => (this.ended = code));
    return store;
  }

  async signal(name: 'SIGHUP' | 'SIGQUIT' | 'SIGTERM' | 'SIGINT'): Promise<void> {
    process.emit(name, name);
    await settle();
  }

  /** What was told since the last look. */
  news(): string[] {
    return this.told.splice(0);
  }
}

describe('the loop', () => {
  it('makes a pass every `checks` seconds until TERM or INT, and ends with code 0', async () => {
    for (const end of ['SIGTERM', 'SIGINT'] as const) {
      const daemon = new Daemon();
      daemon.start('-i', 'addr-state=1', '-i', 'host-addrs=1', '-i', 'checks=100');
      await settle();
      assert.equal(daemon.checked, 1);
      await daemon.clock.advance(99_999);
      assert.equal(daemon.checked, 1);
      await daemon.clock.advance(1);
      assert.equal(daemon.checked, 2);
      assert.equal(daemon.ended, undefined);
      await daemon.signal(end);
      assert.equal(daemon.ended, 0);
      daemon.signals.close();
    }
  });

  it('makes a pass at once on QUIT, and on HUP one that tells the whole policy though nothing has changed', async () => {
    const daemon = new Daemon();
    daemon.start('-i', 'addr-state=0');
    await settle();
    assert.deepEqual(daemon.news(), ['X ok a 1.1.1.1 https;', 'x ok a 1.1.1.1 https;']);
    await daemon.signal('SIGQUIT');
    assert.deepEqual([daemon.checked, daemon.news()], [2, []]);
    await daemon.signal('SIGHUP');
    assert.deepEqual([daemon.checked, daemon.news()], [3, ['x ok a 1.1.1.1 https;']]);
    await daemon.signal('SIGQUIT');
    assert.deepEqual(daemon.news(), []);
  });

  it('takes a signal that comes in the middle of a pass for the next one, which then comes at once', async () => {
    const daemon = new Daemon();
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    daemon.resolver.resolve = async () => {
      await gate;
      return { ok: true, addresses: ['1.1.1.1'] };
    };
    daemon.start('-i', 'addr-state=0');
    await settle();
    await daemon.signal('SIGHUP');
    assert.equal(daemon.checked, 0);
    release();
    await settle();
    await settle();
    assert.equal(daemon.checked, 2);
    assert.equal(daemon.news().filter((line) => line.startsWith('x')).length, 2);
  });

  it('forces all checks with -U in the first pass only, and starts with the whole policy only with -S', async () => {
    const daemon = new Daemon();
    daemon.start('-n', '9');
    await settle();
    assert.equal(daemon.ended, 0);
    daemon.news();
    daemon.start('-U');
    await settle();
    assert.deepEqual([daemon.checked, daemon.news()], [2, []]);
    await daemon.clock.advance(240_000);
    assert.equal(daemon.checked, 2);
    await daemon.signal('SIGTERM');
    daemon.signals.close();

    const synced = new Daemon();
    synced.files.remove('/a.list');
    synced.start('-S');
    await settle();
    assert.deepEqual(synced.news(), ['x ']);
    await synced.clock.advance(240_000);
    assert.deepEqual(synced.news(), []);
  });

  it('tells the whole policy again that a hook has failed to take', async () => {
    const daemon = new Daemon();
    daemon.hookFailure = 'no such command';
    daemon.start();
    await settle();
    assert.deepEqual(daemon.said.slice(-2), Array(2).fill('error: policy not told: no such command'));
    daemon.hookFailure = undefined;
    daemon.news();
    await daemon.signal('SIGQUIT');
    assert.deepEqual(daemon.news(), ['x ok a 1.1.1.1 https;']);
  });

  it('opens the state file anew every `db-reopen` seconds', async () => {
    const daemon = new Daemon();
    daemon.start('-i', 'db-reopen=1000', '-i', 'checks=400');
    await daemon.clock.advance(1_199_000);
    assert.equal(daemon.reopened, 0);
    await daemon.clock.advance(1_000);
    assert.equal(daemon.reopened, 1);
  });

  it('goes on after a pass that could not be saved, and makes up for all that it was asked', async () => {
    const daemon = new Daemon();
    daemon.start('-n9');
    await settle();
    daemon.news();
    daemon.store.failWrites({ errcode: 13, message: 'database or disk is full' });
    daemon.start('-SU');
    await settle();
    assert.match(daemon.said.at(-1) ?? '', /^error: .*disk is full/);
    assert.deepEqual(daemon.news(), []);
    daemon.store.failWrites(undefined);
    await daemon.clock.advance(240_000);
    assert.deepEqual([daemon.checked, daemon.news()], [3, ['x ok a 1.1.1.1 https;']]);
  });
});

describe('the gates', () => {
  const broken: OwnSide = { ok: false, gate: 'link', reason: 'there is no default route' };

  it('keep a pass from marking anything while the own side is broken, and -U waits for one that counts', async () => {
    const daemon = new Daemon();
    daemon.ownSide = broken;
    const store = daemon.start('-U');
    await settle();
    await daemon.signal('SIGQUIT');
    assert.deepEqual([daemon.checked, store.state.host('a')?.record.checked], [0, 0]);
    const warning = 'warning: nothing is marked, the fault is on the own side (link): there is no default route';
    assert.deepEqual(daemon.said, [warning]);
    daemon.ownSide = { ok: true };
    await daemon.signal('SIGQUIT');
    assert.equal(store.state.host('a')?.record.state, 'ok');
    assert.equal(daemon.said[1], 'info: the own side works again');
  });

  it('are never asked with -n and -u', async () => {
    for (const flag of ['-n9', '-ua']) {
      const daemon = new Daemon();
      daemon.ownSide = broken;
      const store = daemon.start(flag);
      await settle();
      assert.deepEqual([daemon.ended, store.state.host('a')?.record.state], [0, 'ok']);
      daemon.signals.close();
    }
  });

  it('keep -F from taking a dead route for services that are down everywhere', async () => {
    const daemon = new Daemon();
    for (const word of ['ok', 'na'] as const) {
      daemon.result('a', word);
      daemon.start('-n9');
      await settle();
    }
    daemon.ownSide = broken;
    const store = daemon.start('-F');
    await settle();
    const address = () => store.state.host('a')?.addresses.get('1.1.1.1');
    assert.deepEqual([address()?.altChecked, address()?.down], [0, 0]);
    daemon.ownSide = { ok: true };
    await daemon.signal('SIGQUIT');
    assert.equal(address()?.down, daemon.clock.now() / 1000);
    assert.deepEqual(
      daemon.told.filter((line) => line.startsWith('x na')),
      [],
    );
  });

  it('are there in a run with the network, and not in a rehearsal', async () => {
    const gated = async (...words: string[]): Promise<boolean> => {
      const flags = flagsOf('-f', '/a.list', ...words);
      return (await openSources(flags, parseSettings(flags))).ownSide !== undefined;
    };
    assert.equal(await gated(), true);
    assert.equal(await gated('--replay', '/dev/null'), false);
    assert.equal(await gated('--no-gates'), false);
  });

  it('ask the control services that are named', () => {
    const hosts = (...words: string[]) => parseSettings(flagsOf(...words)).control?.map(({ host }) => host);
    assert.equal(hosts(), undefined);
    const named = ['--control-service', 'x.example=204', '--control-service', 'y.example:http'];
    assert.deepEqual(hosts(...named), ['x.example', 'y.example']);
    assert.throws(() => parseControl(['x.example:dns']), { code: 'usage', message: /must be an http or https check/ });
    assert.throws(() => parseControl(['x y']), { code: 'usage' });
  });
});

describe('the flags', () => {
  it('have the defaults of the contract', () => {
    const { intervals, timeouts, limits, defaultPolicy, zoneFormat } = parseSettings(flagsOf());
    assert.deepEqual(intervals, {
      checks: 240,
      host_addrs: 420,
      addr_state: 54_000,
      host_ok_state: 147_600,
      host_na_state: 36_000,
      db_reopen: 18_000,
    });
    assert.deepEqual(timeouts, { host_addr: 1_036_800, addr_check: 30, log_td_info: 90, kill: 8, policy_cmd: 30 });
    assert.deepEqual(limits, { iterHosts: 9, iterAddrs: 32, addrsPerHost: 18 });
    assert.deepEqual([defaultPolicy.route, zoneFormat, flagsOf().db], ['af-all', 'unbound', 'nbrpc.db']);
  });

  it('set the timers and limits that they name, the last one counting', () => {
    const flags = [
      '-i',
      'host-na-state=1',
      '-i',
      'host_na_state=2',
      '-t',
      'host-addr=3',
      '-t',
      'kill=.5',
      '-l',
      'addrs-per-host=4',
    ];
    const { timers, timeouts, limits } = parseSettings(flagsOf(...flags));
    assert.deepEqual([timers.hostNaState, timers.hostAddrTimeout, timeouts.kill, limits.addrsPerHost], [2, 3, 0.5, 4]);
  });
});
