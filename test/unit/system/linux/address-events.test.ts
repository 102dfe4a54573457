/** AddressEvents where there is no iproute2, where it ends, and where it answers nonsense. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { IprouteAddresses } from '../../../../src/system/linux/address-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-ip-'));
after(() => rmSync(folder, { recursive: true }));

function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Follows until `enough` has been told; gives all that was. */
async function told(command: string, enough: (events: readonly string[]) => boolean): Promise<string[]> {
  const events: string[] = [];
  let heard = (): void => {};
  const tell = (event: string): void => {
    events.push(event);
    heard();
  };
  const following = new IprouteAddresses({ clock: systemClock, command }).follow({
    touched: () => tell('touched'),
    lost: (reason) => tell(`lost: ${reason}`),
    found: () => tell('found'),
  });
  while (!enough(events)) {
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
  }
  await following.close();
  return events;
}

test('a machine without iproute2 is told so, with the package that has it', async () => {
  const events = await told(join(folder, 'none'), (all) => all.length > 0);
  assert.match(events[0] ?? '', /^lost: \S+ is not installed \(Debian package iproute2\)$/);
  const looking = new IprouteAddresses({ clock: systemClock, command: join(folder, 'none') }).current();
  await assert.rejects(looking, {
    code: 'addresses-unreadable',
    message: /cannot be read: \S+ is not installed/,
  });
});

test('a monitor that ends is told with what it said, is started again, and then everything is looked at anew', async () => {
  const mark = join(folder, 'mark');
  const command = program(
    'once',
    `[ -e ${mark} ] && exec sleep 60; : >${mark}; echo 'Cannot open netlink socket' >&2; exit 1`,
  );
  const events = await told(command, (all) => all.includes('touched'));
  assert.deepEqual(events.slice(1), ['found', 'touched']);
  assert.match(events[0] ?? '', /^lost: \S+ monitor ended with code 1: Cannot open netlink socket$/);
});

test('an answer that is no JSON is refused, and one of a kernel without IPv6 is taken', async () => {
  const old = program('old', 'echo inet 192.0.2.1');
  await assert.rejects(new IprouteAddresses({ clock: systemClock, command: old }).current(), {
    code: 'addresses-unreadable',
    remedy: 'install iproute2',
  });
  const plain = program(
    'four',
    `case "$*" in
*address*) echo '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.1","prefixlen":24,"scope":"global"}]}]' ;;
*-4*) echo '[{"dst":"default","dev":"eth0","flags":[]}]' ;;
*) exit 2 ;;
esac`,
  );
  assert.deepEqual(await new IprouteAddresses({ clock: systemClock, command: plain }).current(), [
    'default eth0',
    'eth0 192.0.2.1/24',
  ]);
});
