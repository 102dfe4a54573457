/** What `netsteward check --host` says of the kill switch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostFacts, HostNeeds, OwnTableNeed } from '../../../src/core/host-facts.ts';
import type { Finding } from '../../../src/core/module.ts';
import { judgeHost } from '../../../src/supervisor/host-judgement.ts';

const guardTable = { family: 'inet', name: 'netsteward-guard' };
const route = { table: '100', destination: 'default', type: 'unicast', device: 'wg0', flags: [] };

interface Machine {
  readonly release?: string;
  readonly nft?: string;
  readonly tables?: readonly { family: string; name: string }[];
  /** Of the `ip rule`. */
  readonly mark?: number;
  readonly mask?: number;
}

function facts({
  release = '6.12.1',
  nft = '1.1.3',
  tables = [guardTable],
  mark = 0x10000,
  mask = 0x10000,
}: Machine): HostFacts {
  const rule = { priority: 100, mark, mask, not: false, table: '100' };
  const routing = { ok: true, value: { rules: [rule], routes: [route] } } as const;
  return {
    nftVersion: { ok: true, value: nft },
    ruleset: { ok: true, value: { tables, sets: [] } },
    kernel: { release, options: undefined, cgroup2: '/sys/fs/cgroup' },
    routing4: routing,
    routing6: routing,
    reversePath: {
      ok: true,
      value: {
        filters: new Map([
          ['all', 0],
          ['lan0', 0],
        ]),
        looksAtMark: false,
      },
    },
    localPorts: { ok: true, value: { first: 32_768, last: 60_999 } },
  };
}

const guarded: OwnTableNeed = {
  family: 'inet',
  name: 'around',
  onStop: 'keep',
  marks: { mark: 0x10000, mask: 0x10000 },
  exemptPorts: undefined,
  guard: { interfaces: ['lan0'], mark: 0x20000 },
};
const { guard: _, ...unguarded } = guarded;

function said(machine: Machine, need: OwnTableNeed): string[] {
  const needs: HostNeeds = { uses: new Set(['nft']), sets: [], ownTables: [need] };
  return judgeHost(facts(machine), needs).map(({ severity, text }: Finding) => `${severity}: ${text}`);
}

test('a guard that is loaded is fine, and one that is not is no guard at boot', () => {
  const loaded = said({}, guarded);
  assert.ok(
    loaded.every((line) => line.startsWith('ok: ')),
    loaded.join('\n'),
  );
  assert.match(
    loaded.join('\n'),
    /while_down = "drop": table inet netsteward-guard is loaded, and drops what lan0 sends/,
  );
  assert.match(
    said({ tables: [] }, guarded).join('\n'),
    /warning: while_down = "drop": .* is not loaded; netsteward loads it/,
  );
});

test('a guard that nobody asks for cuts the LAN off, which is said', () => {
  assert.match(said({}, unguarded).join('\n'), /warning: table inet netsteward-guard is loaded, though no while_down/);
  assert.doesNotMatch(said({ tables: [] }, unguarded).join('\n'), /guard/);
});

test('what a stop means where the table ends with its owner is said with the guard in mind', () => {
  const old = { release: '6.1.0', nft: '1.0.6' };
  assert.match(said(old, guarded).join('\n'), /when netsteward stops, and what lan0 sends elsewhere is dropped/);
  assert.match(said(old, unguarded).join('\n'), /when netsteward stops, and everything goes direct/);
});

test('a routing rule that looks at all bits of the mark does not find what has the guard’s bit too', () => {
  const whole = { mask: 0xffffffff };
  assert.match(
    said(whole, guarded).join('\n'),
    /warning: IPv4: no ip rule before the main table looks at mark 0x10000\/0x10000/,
  );
  assert.doesNotMatch(said({ ...whole, tables: [] }, unguarded).join('\n'), /warning/);
});

test('a routing rule that looks for the guard’s bit would take what is not rerouted', () => {
  const second = { mark: 0x20000, mask: 0x20000 };
  assert.match(
    said(second, guarded).join('\n'),
    /warning: IPv6: the ip rule at 100 looks at bits of nbrpc\.guard\.mark/,
  );
  assert.doesNotMatch(said({ ...second, tables: [] }, unguarded).join('\n'), /guard/);
});

test('an interface that is not there is named', () => {
  const other = { ...guarded, guard: { interfaces: ['lan0', 'lan1'], mark: 0x20000 } };
  assert.match(said({}, other).join('\n'), /warning: nbrpc.guard.interfaces: there is no interface lan1 now/);
});
