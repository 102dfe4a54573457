/** dyndns in `netsteward status` and `dyndns status`: names, ages, keys, and pictures of other versions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dyndnsLines, renderDyndns } from '../../../src/cli/dyndns-view.ts';
import { renderDetail } from '../../../src/cli/module-views.ts';
import type { DyndnsDetail } from '../../../src/dyndns/index.ts';

const now = Date.UTC(2026, 0, 2);

const detail: DyndnsDetail = {
  listening: '[::]:5533',
  names: [
    { zone: '/zone', name: 'home.a.net', address: '192.0.2.1', keys: ['k1', 'k2'], heardAt: now - 90_000 },
    { zone: '/zone', name: '*.b.net', address: '2001:db8::1', keys: ['k3'] },
  ],
  nameCount: 2,
  packets: { received: 3, accepted: 2, 'not-newer': 1, dropped: 0 },
};

test('each name has its address, how long ago its key was heard, and the ids of its keys; packets come last', () => {
  assert.deepEqual(renderDetail('dyndns', detail, now), [
    'home.a.net  192.0.2.1  heard 1m 30s ago  k1 k2',
    '*.b.net     2001:db8::1  never heard  k3',
    'on [::]:5533: 3 received, 2 accepted, 1 not-newer',
  ]);
  assert.equal(dyndnsLines(detail)[0], 'home.a.net  192.0.2.1  heard 2026-01-01T23:58:30.000Z  k1 k2');
});

test('the status of all modules shows twenty names and counts the rest; dyndns status shows all that it is told', () => {
  const names = Array.from({ length: 50 }, (_, index) => ({
    zone: '/zone',
    name: `n${index}.a.net`,
    address: '192.0.2.1',
    keys: ['k'],
  }));
  const many = { ...detail, names, nameCount: 70, packets: {} };
  assert.deepEqual(renderDyndns(many, now).slice(19), [
    'n19.a.net  192.0.2.1  never heard  k',
    '… and 50 more',
    'on [::]:5533: no packet yet',
  ]);
  assert.deepEqual(dyndnsLines(many).slice(50), ['… and 20 more', 'on [::]:5533: no packet yet']);
});

test('a picture of another shape is passed over', () => {
  for (const odd of [undefined, null, {}, { names: 1 }, { ...detail, names: [{}] }, { ...detail, packets: null }]) {
    assert.deepEqual(renderDetail('dyndns', odd, now), []);
  }
});
