/** `in_use`, `drop_connections`, and what they make of the agent's configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentConfig } from '../../../src/cli/compose.ts';
import { parseNbrpc } from '../../../src/nbrpc/config.ts';
import { listedNames } from '../../../src/nbrpc/flows.ts';
import { listedContents } from '../../../src/nbrpc/listed.ts';
import { sinkOf } from '../../../src/nbrpc/sink-of.ts';
import { entry, state } from './build-state.ts';

const parse = (table: Record<string, unknown>) => parseNbrpc({ check_lists: ['/etc/a.list'], ...table });
const sink = (table: Record<string, unknown>) => {
  const result = parse(table);
  assert.ok(result.ok, JSON.stringify(result));
  return sinkOf(result.config);
};
const problems = (table: Record<string, unknown>): readonly string[] => {
  const result = parse(table);
  assert.ok(!result.ok);
  return result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const sets = { blocked4: 'b4', direct4: 'd4', drop4: 'x4', listed4: 'l4', seen4: 's4', seen6: 's6' };

test('neither is asked of the kernel unless it is configured', () => {
  const config = agentConfig(sink({}));
  assert.ok(config.kind === 'own');
  assert.equal('inUse' in config || 'dropConnections' in config, false);
  const foreign = agentConfig(sink({ sets }));
  assert.ok(foreign.kind === 'foreign');
  assert.equal('seen' in foreign || 'dropConnections' in foreign, false);
  assert.deepEqual(
    foreign.sets.map(({ name }) => name),
    ['b4', 'd4', 'x4'],
  );
});

test('of the own table both are switches', () => {
  const config = agentConfig(sink({ in_use: true, drop_connections: true }));
  assert.ok(config.kind === 'own');
  assert.deepEqual([config.inUse, config.dropConnections], [true, true]);
});

test('of the administrator`s sets use is read where it is named, and connections go with those that mean a route', () => {
  const config = agentConfig(sink({ in_use: true, drop_connections: true, sets }));
  assert.ok(config.kind === 'foreign');
  assert.deepEqual(config.seen, ['s4', 's6']);
  assert.deepEqual(config.dropConnections, ['b4', 'x4']);
  assert.deepEqual(
    config.sets.map(({ name, type }) => `${name} ${type}`),
    ['b4 ipv4_addr', 'd4 ipv4_addr', 'x4 ipv4_addr', 'l4 ipv4_addr'],
  );
});

test('what could not work is a mistake', () => {
  assert.deepEqual(problems({ in_use: true, schedule: 'original' }), [
    'in_use: needs schedule = "prompt": the original schedule asks all alike',
  ]);
  assert.deepEqual(problems({ in_use: true, sets: { blocked4: 'b4' } }), [
    'in_use: needs nbrpc.sets.seen4 or seen6, a set that your ruleset notes packets to listed addresses in',
  ]);
  assert.deepEqual(problems({ sets: { blocked4: 'b4', seen4: 'b4' } }), ['sets: must name each set only once']);
  assert.deepEqual(problems({ sets: { seen4: 's4' } }), [
    'sets: must name at least one of blocked4, blocked6, direct4, direct6',
  ]);
  for (const key of ['in_use', 'drop_connections']) {
    assert.deepEqual(problems({ [key]: 'yes' }), [`${key}: must be true or false`]);
  }
});

const known = state(
  entry('a.example', { state: 'ok' }, '192.0.2.1=ok 2001:db8::1=na'),
  entry('b.example', { policy: 'pick' }, '192.0.2.1=ok 192.0.2.2=? 9.9.9.9=ok'),
);

test('listed are all addresses of all services, blocked or not, but for those that never enter a set', () => {
  const contents = listedContents(known, listedNames({ inUse: true }), new Set(['9.9.9.9']));
  assert.deepEqual(
    contents,
    new Map([
      ['listed4', new Set(['192.0.2.1', '192.0.2.2'])],
      ['listed6', new Set(['2001:db8::1'])],
    ]),
  );
});

test('listed is nothing where use is not asked for, and just what the administrator names', () => {
  assert.equal(listedContents(known, listedNames({}), new Set()).size, 0);
  assert.deepEqual(
    listedContents(known, listedNames({ inUse: true, sets: { listed6: 'l6' } }), new Set()),
    new Map([['l6', new Set(['2001:db8::1'])]]),
  );
});
