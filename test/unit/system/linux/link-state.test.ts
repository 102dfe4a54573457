/** Which device the default route has, and whether its link is up, from the kernel's files. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { defaultDevices4, defaultDevices6, LinkState, linkUp } from '../../../../src/system/linux/link-state.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-link-'));
after(() => rm(folder, { recursive: true }));

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const row = (device: string, destination: string, flags: string, mask: string): string =>
  `${device}\t${destination}\t010200C0\t${flags}\t0\t0\t0\t${mask}\t0\t0\t0   \n`;
const zero = '0'.repeat(32);
const row6 = (destination: string, length: string, flags: string, device: string): string =>
  `${destination} ${length} ${zero} 00 ${zero} 00000400 00000001 00000000 ${flags}     ${device}\n`;

test('the default route is the one to everywhere, or two to half of everywhere, that is up and no reject', () => {
  assert.deepEqual(defaultDevices4(header + row('eth0', '00000000', '0003', '00000000')), ['eth0']);
  assert.deepEqual(defaultDevices4(header + row('eth0', '000200C0', '0001', '00FFFFFF')), []);
  assert.deepEqual(defaultDevices4(header + row('*', '00000000', '0201', '00000000')), []);
  const halves = row('tun0', '00000000', '0003', '00000080') + row('tun0', '00000080', '0003', '00000080');
  assert.deepEqual(defaultDevices4(header + halves), ['tun0']);
  assert.deepEqual(defaultDevices6(row6(zero, '00', '00000003', 'ppp0') + row6(zero, '00', '00200200', 'lo')), [
    'ppp0',
  ]);
  assert.deepEqual(defaultDevices6(row6(`fd${'0'.repeat(30)}`, '40', '00000001', 'eth0')), []);
});

test('a link without carrier is down, and one that cannot say so is up', () => {
  assert.equal(linkUp('up', '1'), true);
  assert.equal(linkUp('unknown', '1'), true);
  assert.equal(linkUp('down', undefined), false);
  assert.equal(linkUp('lowerlayerdown', '0'), false);
  assert.equal(linkUp('up', '0'), false);
  assert.equal(linkUp(undefined, undefined), true);
});

test('the state of the uplink follows the files of the kernel, and its lookup of a route', async () => {
  let found: readonly number[] = [];
  const lookup = (family: 4 | 6) => Promise.resolve(found.includes(family));
  const uplink = new LinkState({ proc: join(folder, 'proc'), sys: join(folder, 'sys'), lookup });
  assert.deepEqual(await uplink.state(), { up: true }, 'nothing can be found out');
  await mkdir(join(folder, 'proc', 'net'), { recursive: true });
  const routes = (four: string, six: string) =>
    Promise.all([
      writeFile(join(folder, 'proc', 'net', 'route'), header + four),
      writeFile(join(folder, 'proc', 'net', 'ipv6_route'), six),
    ]);
  await routes('', '');
  assert.deepEqual(await uplink.state(), { up: false, detail: 'there is no default route' });
  found = [4];
  assert.deepEqual(await uplink.state(), { up: true, without: [6] }, 'a route of another table');
  found = [6];
  await routes(row('wan', '00000000', '0003', '00000000'), row6(zero, '00', '00000003', 'tunnel'));
  assert.deepEqual(await uplink.state(), { up: true }, 'the device is of another namespace');
  const device = join(folder, 'sys', 'class', 'net', 'wan');
  await mkdir(device, { recursive: true });
  await writeFile(join(device, 'operstate'), 'down\n');
  assert.deepEqual(await uplink.state(), { up: false, detail: "the default route's link wan is down" });
  await writeFile(join(device, 'operstate'), 'up\n');
  await writeFile(join(device, 'carrier'), '1\n');
  assert.deepEqual(await uplink.state(), { up: true });
  await routes('', row6(zero, '00', '00000003', 'wan'));
  assert.deepEqual(await uplink.state(), { up: true, without: [4] }, 'a machine with IPv6 alone');
});

test('the real kernel has an answer', async () => {
  assert.equal(typeof (await new LinkState().state()).up, 'boolean');
});
