/** What is told of the sets: a route has changed when the kernel has it, and not before. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { WarningBoard } from '../../../src/core/warnings.ts';
import { parseNbrpc } from '../../../src/nbrpc/config.ts';
import { FlipLog } from '../../../src/nbrpc/flip-log.ts';
import type { Flip } from '../../../src/nbrpc/flips.ts';
import type { WantedSets } from '../../../src/nbrpc/sets.ts';
import { HeldSets } from '../../../src/nbrpc/sink.ts';
import { sinkOf } from '../../../src/nbrpc/sink-of.ts';
import type { AddressSets, AddressSetsStatus } from '../../../src/system/ports.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const wanted = (...addresses: string[]): WantedSets => ({
  contents: new Map([['blocked4', new Set(addresses)]]),
  conflicts: [],
  blocked: new Set(addresses),
  via: new Map(),
  dropped: new Set(),
});
const flip = (host: string, to: 'tunnel' | 'direct', ...addresses: string[]): Flip => ({
  host,
  to,
  addresses,
  from: to === 'tunnel' ? 'direct' : 'tunnel',
  reason: 'tls reset',
  since: 0,
});

async function bench() {
  const [log, clock] = [new MemoryLog(), new FakeClock()];
  const board = new WarningBoard(
    () => clock.now(),
    () => {},
  );
  /** Of each hold() that was not answered yet. */
  const asked: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let status: AddressSetsStatus = { connected: true, table: 'owner-persist', lastError: undefined, refills: 0 };
  const sets: AddressSets = {
    hold: () => new Promise((resolve, reject) => void asked.push({ resolve, reject })),
    status: () => status,
    setOnStop: () => {},
    close: () => Promise.resolve(),
  };
  const parsed = parseNbrpc({ check_lists: ['/a'] });
  assert.ok(parsed.ok);
  const held = new HeldSets(sinkOf(parsed.config), sets, { board, log, clock, flips: new FlipLog(log, clock) });
  const answer = async (error?: Error): Promise<void> => {
    const next = asked.shift();
    assert.ok(next !== undefined, 'nothing is asked for');
    if (error === undefined) next.resolve();
    else next.reject(error);
    await settle();
  };
  const first = held.first(wanted());
  await answer();
  await first;
  return {
    held,
    clock,
    answer,
    asked,
    set: (changes: Partial<AddressSetsStatus>) => (status = { ...status, ...changes }),
    lines: () => log.lines.splice(0).filter(({ event }) => event.startsWith('flip')),
    warnings: () => board.list().map(({ code, text }) => `${code}: ${text}`),
  };
}

const refused = new NetstewardError('nft-refused', 'no such set');
const away = new NetstewardError('agent-unavailable', 'nft-agent is gone');

describe('sets that are asked for', () => {
  it('count as held, and flips are told, once the kernel has them', async () => {
    const { held, answer, lines } = await bench();
    held.hold(wanted('9.9.9.9'), [flip('a', 'tunnel', '9.9.9.9')]);
    await settle();
    assert.deepEqual([[...held.blocked], lines()], [[], []]);
    await answer();
    assert.deepEqual([...held.blocked], ['9.9.9.9']);
    assert.deepEqual(
      lines().map(({ level, event, fields }) => [level, event, fields.host, fields.to]),
      [['info', 'flip', 'a', 'tunnel']],
    );
  });

  it('and refused: say so once with the reason, are asked for again by themselves, and are told when they are held', async () => {
    const { held, answer, lines, clock, warnings } = await bench();
    held.hold(wanted('9.9.9.9'), [flip('a', 'tunnel', '9.9.9.9')]);
    await answer(refused);
    assert.deepEqual(
      lines().map(({ level, event, fields }) => [level, event, fields.host, fields.reason]),
      [['warn', 'flip-not-applied', 'a', 'no such set']],
    );
    assert.deepEqual(warnings(), ['sets-not-applied: nftables refused the sets: no such set']);
    await clock.advance(1000);
    await answer(refused);
    assert.deepEqual([lines(), [...held.blocked]], [[], []]);
    await clock.advance(2000);
    await answer();
    assert.deepEqual(
      lines().map(({ event, fields }) => [event, fields.host]),
      [['flip', 'a']],
    );
    assert.deepEqual([warnings(), [...held.blocked], clock.waiting], [[], ['9.9.9.9'], 0]);
  });

  it('only to be given up again are told of to nobody', async () => {
    const { held, answer, lines } = await bench();
    held.hold(wanted('9.9.9.9', '9.9.9.8'), [
      flip('a', 'tunnel', '9.9.9.8', '9.9.9.9'),
      flip('b', 'tunnel', '9.9.9.7'),
    ]);
    held.hold(wanted('9.9.9.8'), [flip('a', 'direct', '9.9.9.9')]);
    await answer();
    await answer();
    assert.deepEqual(
      lines().map(({ fields }) => [fields.host, fields.to, fields.addresses]),
      [
        ['a', 'tunnel', ['9.9.9.8']],
        ['b', 'tunnel', ['9.9.9.7']],
      ],
    );
  });

  it('and are the same as before need no new request', async () => {
    const { held, asked, lines } = await bench();
    held.hold(wanted(), [flip('a', 'tunnel', '9.9.9.9')]);
    assert.deepEqual([asked.length, lines().length], [0, 1]);
  });

  it('are not asked for any more once they are closed', async () => {
    const { held, answer, clock } = await bench();
    held.hold(wanted('9.9.9.9'), []);
    await answer(refused);
    await held.close('keep');
    assert.equal(clock.waiting, 0);
  });
});

describe('an agent that is not there', () => {
  it('is warned of although nothing is asked of it, with what that means for the table', async () => {
    const { held, set, warnings } = await bench();
    set({ connected: false, lastError: 'nft-agent is gone: it was ended by SIGKILL' });
    held.status();
    assert.deepEqual(warnings(), [
      'agent-unavailable: nft-agent is not available: nft-agent is gone: it was ended by SIGKILL; the kernel keeps the last applied sets',
    ]);
    set({ connected: true, lastError: undefined });
    held.status();
    assert.deepEqual(warnings(), []);
  });

  it('has taken its table with it where the kernel knows no better: then nothing goes around', async () => {
    const { held, answer, set, warnings } = await bench();
    held.hold(wanted('9.9.9.9'), []);
    await answer();
    set({ connected: false, table: 'owner', lastError: 'gone' });
    held.status();
    assert.deepEqual([...held.blocked], []);
    assert.match(warnings().join(), /the kernel has removed its table with it, and everything goes direct/);
    set({ connected: true, lastError: undefined });
    assert.deepEqual([...held.blocked], ['9.9.9.9']);
  });

  it('is warned of in the same words as long as it is away', async () => {
    const { held, answer, set, warnings, clock } = await bench();
    set({ connected: false, lastError: 'gone' });
    held.hold(wanted('9.9.9.9'), []);
    await answer(away);
    const told = warnings();
    held.status();
    assert.deepEqual(warnings(), told);
    await clock.advance(1000);
    set({ connected: true, lastError: undefined });
    held.status();
    assert.deepEqual(warnings(), told, 'what was refused is not in the kernel yet');
    await answer();
    assert.deepEqual(warnings(), []);
  });

  it('tells what it found by itself', async () => {
    const { held, set, warnings } = await bench();
    set({ lastError: 'table inet filter is gone' });
    held.status();
    assert.deepEqual(warnings(), ['sets-not-applied: nftables refused the sets: table inet filter is gone']);
  });
});
