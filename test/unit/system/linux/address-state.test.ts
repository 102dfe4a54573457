/** What iproute2 says of addresses and routes, as it was seen on Linux 6.18 with iproute2 6.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressState, isAddressEvent } from '../../../../src/system/linux/address-state.ts';

const device = (ifname: string, ...addresses: readonly object[]) => ({ ifname, flags: ['UP'], addr_info: addresses });
const address = (local: string, prefixlen: number, more: object = {}) => ({
  local,
  prefixlen,
  scope: 'global',
  ...more,
});
const state = (devices: readonly object[], ...routes: readonly object[][]) =>
  addressState(
    JSON.stringify(devices),
    routes.map((each) => JSON.stringify(each)),
  );

test('addresses beyond the link that can be sent from, and default routes, make the state', () => {
  assert.deepEqual(
    state(
      [
        device('lo', address('127.0.0.1', 8, { scope: 'host' })),
        // `ip address show up` leaves an empty object for each device that is down.
        {},
        device(
          'eth0',
          address('192.0.2.7', 24, { label: 'eth0', valid_life_time: 300 }),
          address('2001:db8::7', 64, { temporary: true }),
          address('2001:db8::8', 64, { tentative: true }),
          address('2001:db8::9', 64, { deprecated: true }),
          address('2001:db8::a', 64, { dadfailed: true, tentative: true }),
          address('fe80::1', 64, { scope: 'link' }),
        ),
      ],
      [{ dst: 'default', gateway: '192.0.2.1', dev: 'eth0', prefsrc: '192.0.2.7', metric: 100, flags: [] }],
      [{ dst: 'default', gateway: 'fe80::2', dev: 'eth0', protocol: 'ra', expires: 1786, flags: [] }],
    ),
    [
      'default eth0 via 192.0.2.1 src 192.0.2.7',
      'default eth0 via fe80::2',
      'eth0 192.0.2.7/24',
      'eth0 2001:db8::7/64',
    ],
  );
});

test('routes of every kind are told apart, and those of a pulled cable are none', () => {
  assert.deepEqual(
    state(
      [],
      [
        { dst: 'default', dev: 'ppp0', scope: 'link', flags: [] },
        { dst: 'default', via: { family: 'inet6', host: 'fe80::1' }, dev: 'wan', flags: [] },
        {
          dst: 'default',
          flags: [],
          nexthops: [
            { dev: 'a', gateway: '10.0.0.1', flags: [] },
            { dev: 'b', flags: ['dead'] },
          ],
        },
        { dst: 'default', gateway: '10.1.1.2', dev: 'eth1', flags: ['linkdown'] },
        { type: 'unreachable', dst: 'default', metric: 7, flags: [] },
        { dst: '10.9.0.0/16', gateway: '10.1.1.2', dev: 'wan', flags: [] },
      ],
    ),
    ['default a via 10.0.0.1', 'default ppp0', 'default unreachable', 'default wan via fe80::1'],
  );
});

test('the order of what iproute2 says does not matter, nor what it renews', () => {
  const routes = [
    { dst: 'default', gateway: 'fe80::2', dev: 'eth0', expires: 1786, flags: [] },
    { dst: 'default', gateway: 'fe80::3', dev: 'eth0', expires: 1700, flags: [] },
  ];
  const addresses = ['192.0.2.7', '192.0.2.8', '192.0.2.9'].map((local) => address(local, 24));
  const expected = state([device('eth0', ...addresses)], routes);
  fc.assert(
    fc.property(
      fc.shuffledSubarray(routes, { minLength: 2 }),
      fc.shuffledSubarray(addresses, { minLength: 3 }),
      fc.nat(),
      (someRoutes, someAddresses, time) => {
        const renewed = someAddresses.map((each) => ({ ...each, valid_life_time: time }));
        const again = someRoutes.map((each) => ({ ...each, expires: time }));
        assert.deepEqual(state([device('eth0', ...renewed)], again), expected);
      },
    ),
  );
});

test('no output at all is a machine without any, and what is no list is refused', () => {
  assert.deepEqual(addressState('', ['', '\n']), []);
  assert.throws(() => addressState('Option "-json" is unknown', []), SyntaxError);
  assert.throws(() => addressState('{}', []), TypeError);
});

test('lines of ip monitor count where they can change the state', () => {
  for (const line of [
    '3: wan    inet 10.1.1.1/24 scope global wan\\       valid_lft forever preferred_lft forever',
    '3: wan    inet6 2001:db8::1/64 scope global tentative \\       valid_lft forever preferred_lft forever',
    'Deleted 3: wan    inet 10.1.1.1/24 scope global wan\\       valid_lft forever preferred_lft forever',
    '3: wan@isp: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default',
    'Deleted 5: ppp0: <POINTOPOINT,MULTICAST,NOARP> mtu 1492 qdisc pfifo_fast state DOWN group default',
    'default via 10.1.1.2 dev wan ',
    'default \\\tnexthop dev wan weight 1 \\\tnexthop via 10.1.1.3 dev wan weight 1 ',
    'Deleted default via 2001:db8::2 dev wan metric 1024 pref medium',
  ]) {
    assert.ok(isAddressEvent(line), line);
  }
  for (const line of [
    '10.9.0.0/16 via 10.1.1.2 dev wan ',
    'local 10.1.1.1 dev wan table local proto kernel scope host src 10.1.1.1 ',
    'Deleted multicast ff00::/8 dev wan table local proto kernel metric 256 pref medium',
    'unreachable default metric 7 ',
    '',
  ]) {
    assert.ok(!isAddressEvent(line), line);
  }
});
