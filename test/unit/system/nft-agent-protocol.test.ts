/** The agent's protocol: every message comes back as it was, and anything else is refused by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type AgentMessage,
  type AgentRequest,
  messageLine,
  parseAgentMessage,
  parseRequest,
  requestIdOf,
  requestLine,
} from '../../../src/system/linux/nft-agent-protocol.ts';

const own = {
  kind: 'own',
  name: 'netsteward-nbrpc',
  mark: 0x10000,
  mask: 0xff0000,
  markForwarded: true,
  markOwn: false,
  exemptSourcePorts: undefined,
  exemptUid: undefined,
  guard: undefined,
  exits: undefined,
  drops: undefined,
  never: ['9.9.9.9'],
} as const;

const requests: readonly AgentRequest[] = [
  { type: 'configure', id: 1, config: own, onStop: 'keep' },
  {
    type: 'configure',
    id: 2,
    config: { ...own, exemptSourcePorts: { from: 61000, to: 64999 }, exemptUid: 998 },
    onStop: 'flush',
  },
  {
    type: 'configure',
    id: 3,
    config: { kind: 'foreign', family: 'ip6', table: 'filter', sets: [{ name: 's', type: 'ipv6_addr' }] },
    onStop: 'keep',
  },
  {
    type: 'replace',
    id: 4,
    sets: new Map([
      ['blocked4', ['192.0.2.1']],
      ['blocked6', []],
    ]),
  },
  { type: 'update', id: 5, sets: new Map([['blocked6', { add: ['2001:db8::1'], delete: ['2001:db8::2'] }]]) },
  { type: 'stop', id: 6, mode: 'flush' },
  { type: 'look', id: 8, config: own },
  {
    type: 'configure',
    id: 9,
    config: { ...own, exits: [{ name: 'wg-0', mark: own.mark }], drops: true },
    onStop: 'keep',
  },
  { type: 'configure', id: 7, config: { ...own, guard: { interfaces: ['lan0'], mark: 0x1000000 } }, onStop: 'keep' },
];

const messages: readonly AgentMessage[] = [
  { type: 'reply', id: 1, ok: true },
  { type: 'reply', id: 2, ok: true, version: '1.2.3' },
  { type: 'reply', id: 2, ok: false, code: 'nft-refused', message: 'no', remedy: 'do' },
  { type: 'reply', id: 2, ok: false, code: 'nft-refused', message: 'no' },
  { type: 'event', event: 'table', table: 'owner', reason: 'old' },
  { type: 'event', event: 'table', table: 'foreign' },
  { type: 'event', event: 'refilled', elements: 3 },
  { type: 'event', event: 'problem', code: 'c', message: 'm', remedy: 'r' },
  { type: 'event', event: 'recovered' },
];

test('requests and messages survive the way over the wire', () => {
  for (const request of requests) {
    const line = requestLine(request);
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.deepEqual(parseRequest(line), request);
    assert.equal(requestIdOf(line), request.id);
  }
  for (const message of messages) assert.deepEqual(parseAgentMessage(messageLine(message)), message);
});

test('addresses arrive canonical', () => {
  const line = requestLine({ type: 'replace', id: 1, sets: new Map([['s', ['2001:DB8:0:0::1']]]) });
  const request = parseRequest(line);
  assert.ok(request.type === 'replace');
  assert.deepEqual(request.sets.get('s'), ['2001:db8::1']);
});

test('an address that is an object without a usable toString is refused like any other', () => {
  const line = JSON.stringify({ type: 'replace', id: 1, sets: { s: [[{ toString: false }]] } });
  assert.throws(() => parseRequest(`${line}\n`), { code: 'agent-message-invalid', message: /sets\.s has .*toString/ });
});

/** Each of these, put in place of a value somewhere in a good request, makes it a bad one or leaves it good, but never breaks. */
test('a request with any one value replaced is either refused by name or still well-formed', () => {
  const line = fc.constantFrom(...requests).map((request) => JSON.parse(requestLine(request)) as unknown);
  const paths = (value: unknown, at: readonly string[] = []): readonly (readonly string[])[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, child]) => [[...at, key], ...paths(child, [...at, key])])
      : [];
  fc.assert(
    fc.property(line, fc.nat(), fc.jsonValue(), (request, which, value) => {
      const all = paths(request);
      const path = all[which % all.length] ?? [];
      const changed = structuredClone(request) as Record<string, unknown>;
      let parent = changed;
      for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
      parent[path.at(-1) ?? ''] = value;
      try {
        const parsed = parseRequest(JSON.stringify(changed));
        assert.deepEqual(parseRequest(requestLine(parsed)), parsed);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'agent-message-invalid', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('anything that is no message is refused by name, on both sides', () => {
  for (const parse of [parseRequest, parseAgentMessage]) {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.throws(() => parse(text), { code: 'agent-message-invalid' });
      }),
    );
  }
  const configure = (change: object): string =>
    JSON.stringify({ type: 'configure', id: 1, config: { ...own, ...change }, onStop: 'keep' });
  for (const change of [
    { name: 'x; flush ruleset' },
    { mark: 0 },
    { mark: 0x1000000 },
    { mask: 2 ** 32 },
    { exemptSourcePorts: { from: 5, to: 4 } },
    { exemptSourcePorts: { from: 5 } },
    { exemptUid: -1 },
    { exits: [{ name: 'a b', mark: own.mark }] },
    { exits: [{ name: 'a', mark: ~own.mask >>> 0 }] },
    { exits: [{ name: 'a', mark: own.mark, more: 1 }] },
    { exits: ['a', 'a'].map((name) => ({ name, mark: own.mark })) },
    { drops: 1 },
    { guard: { interfaces: [], mark: 1 } },
    { guard: { interfaces: ['lan0" } accept #'], mark: 1 } },
    { guard: { interfaces: ['lan0'], mark: 0 } },
    { guard: { interfaces: ['lan0'], mark: own.mark } },
    { guard: { interfaces: ['lan0'], mark: 1, more: 1 } },
    { never: ['dns.example'] },
    { surprise: true },
  ]) {
    assert.throws(() => parseRequest(configure(change)), { code: 'agent-message-invalid' }, JSON.stringify(change));
  }
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`s${i}`, []]));
  assert.throws(() => parseRequest(JSON.stringify({ type: 'replace', id: 1, sets: many })), {
    code: 'agent-message-invalid',
  });
});
