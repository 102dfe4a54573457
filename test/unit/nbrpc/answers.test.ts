/** What a running nbrpc answers to questions, on fakes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NbrpcConfig } from '../../../src/nbrpc/config.ts';
import type { HostExplanation } from '../../../src/nbrpc/explain.ts';
import { FakeNbrpcHost } from '../../fakes/fake-nbrpc-host.ts';

const minute = 60_000;
const exits = {
  table: { mask: 0x30000 },
  exit: [
    { name: 'wg0', source: ['10.9.0.2'] },
    { name: 'wg1', source: ['10.9.1.2'], mark: 0x20000 },
  ],
};

async function running(table: Record<string, unknown>) {
  const host = new FakeNbrpcHost('# a comment\na.example>pick\n', {
    control: { services: ['control.example:https=200'] },
  });
  const { clock, probe, resolver } = host;
  resolver.answer('control.example', '9.9.9.1');
  resolver.answer('a.example', '9.9.9.9');
  const module = await host.start(table);
  const ask = async (name: string, argument: string): Promise<string> => {
    const answer = await module.command?.(name, argument);
    assert.ok(answer !== undefined);
    return answer;
  };
  const explain = async (): Promise<HostExplanation> =>
    JSON.parse(await ask('explain', 'a.example')) as HostExplanation;
  return { clock, probe, module, ask, explain, config: host.configOf(table) };
}

describe('a running nbrpc', () => {
  it('explains a service from its list line to its set, and asks its address when it says', async () => {
    const { clock, probe, module, explain } = await running(exits);
    await clock.advance(20 * minute);
    const well = await explain();
    assert.deepEqual(well.lists, [{ file: '/a.list', line: 2, token: 'a.example>pick' }]);
    assert.deepEqual([well.state, well.running, well.addresses[0]?.direct.verdict], ['ok', true, 'works']);
    const next = well.addresses[0]?.next.direct ?? 0;
    assert.ok(next > clock.now());
    const asked = (): number => probe.requests.filter(({ host }) => host === 'a.example').length;
    const before = asked();
    await clock.advance(next - clock.now() - 1000);
    assert.equal(asked(), before);
    await clock.advance(2000);
    assert.equal(asked(), before + 1);
    await module.stop('shutdown');
  });

  it('explains the confirmations of a block while they come, and the exit that is taken then', async () => {
    const { clock, probe, module, explain } = await running(exits);
    await clock.advance(20 * minute);
    probe.blocked('a.example');
    for (const source of ['10.9.0.2', '10.9.1.2']) {
      probe.through(source, 'a.example', '*', { kind: 'answer', status: 200, bytes: 9, location: undefined });
    }
    const seen = new Set<string>();
    let told = await explain();
    for (let second = 0; second < 900 && told.state !== 'na'; second++) {
      await clock.advance(1000);
      told = await explain();
      const { confirming } = told.addresses[0] ?? {};
      if (confirming) seen.add(`${confirming.tries}/${confirming.triesNeeded} ${confirming.rounds.join()}`);
    }
    assert.deepEqual([...seen], ['1/2 ', '2/2 ', '2/2 true', '2/2 true,true']);
    const [address] = told.addresses;
    assert.deepEqual(address?.route, { way: 'around', exit: 'wg0', by: 'a.example', set: 'blocked4-wg0' });
    assert.deepEqual(told.exit, { name: 'wg0', why: 'the first in the preferred order' });
    assert.deepEqual(
      told.exits.map(({ name, works }) => `${name} ${works}`),
      ['wg0 true', 'wg1 true'],
    );
    assert.equal(address?.exits.find(({ name }) => name === 'wg0')?.verdict, 'works');
    await module.stop('shutdown');
  });

  it('explains under the original schedule when an address is asked next', async () => {
    const { clock, module, explain } = await running({ schedule: 'original' });
    await clock.advance(20 * minute);
    const { schedule, addresses } = await explain();
    assert.equal(schedule, 'original');
    const { direct, next } = addresses[0] ?? {};
    assert.equal((next?.direct ?? 0) - (direct?.asked ?? 0), 15 * 3_600_000);
    await module.stop('shutdown');
  });

  it('gives what routes are made of, and refuses what it does not know', async () => {
    const { clock, module, ask, config } = await running(exits);
    await clock.advance(minute);
    const { config: routing, state } = JSON.parse(await ask('settings', '')) as Record<string, Partial<NbrpcConfig>>;
    assert.equal(state, '/s.db');
    assert.deepEqual(routing?.default_policy, config.default_policy);
    assert.deepEqual(
      routing?.exit?.map(({ name }) => name),
      ['wg0', 'wg1'],
    );
    await assert.rejects(ask('explain', 'a.exampel'), { code: 'host-unknown', remedy: 'Listed are: a.example.' });
    await assert.rejects(ask('forget', 'a.example'), { code: 'command-unknown' });
    await module.stop('shutdown');
  });
});
