/** Which way to the internet a machine has, on real routes and rules: the main table's, another table's, or none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { LinkState } from '../../src/system/linux/link-state.ts';
import { hasRoute } from '../../src/system/linux/route-lookup.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const ip = (text: string): void => void execFileSync('ip', text.split(' '), { stdio: 'pipe' });
// A sysfs tells of the network namespace that it was mounted in.
const state = () => new LinkState({ sys: '/run/sys' }).state();

if (!insideNamespace) {
  test('the way to the internet is found (in a namespace)', (t) => repeatInNamespace(t, import.meta.url));
} else {
  mkdirSync('/run/sys');
  execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/run/sys']);
  beforeEach(() => {
    ip('link add wan type veth peer name isp');
    for (const device of ['wan', 'isp']) ip(`link set ${device} up`);
    ip('addr add 10.0.0.2/24 dev wan');
  });
  afterEach(() => {
    ip('link del wan');
    for (const family of ['-4', '-6']) ip(`${family} route flush table all type unreachable`);
  });

  test('a machine without any route has none', async () => {
    assert.deepEqual(await state(), { up: false, detail: 'there is no default route' });
  });

  test('a default route of the main table is one, and IPv6 is missed where it has none', async () => {
    ip('route add default via 10.0.0.1');
    assert.deepEqual(await state(), { up: true, without: [6] });
    ip('link set isp down');
    assert.deepEqual(await state(), { up: false, detail: "the default route's link wan is down" });
  });

  test('so is one of another table that a rule leads to', async () => {
    ip('route add default via 10.0.0.1 table 100');
    ip('rule add lookup 100 pref 100');
    try {
      assert.equal(await hasRoute(4), true);
      assert.deepEqual(await state(), { up: true, without: [6] });
    } finally {
      ip('rule del pref 100');
    }
    assert.deepEqual(await state(), { up: false, detail: 'there is no default route' });
  });

  test('so are routes to every network without a default one, as BGP brings them', async () => {
    ip('route add 192.0.0.0/3 via 10.0.0.1');
    assert.deepEqual(await state(), { up: true, without: [6] });
  });

  test('a route that leads nowhere is none', async () => {
    ip('route add unreachable default');
    assert.deepEqual(await state(), { up: false, detail: 'there is no default route' });
  });

  test('IPv6 alone is a way too, but not with an address of the link alone', async () => {
    ip('-6 route add default via fe80::1 dev wan');
    assert.equal(await hasRoute(6), false);
    ip('-6 addr add 2001:db8::2/64 dev wan nodad');
    assert.equal(await hasRoute(6), true);
    assert.deepEqual(await state(), { up: true, without: [4] });
  });
}
