/** What `systemctl show` answers, read; and a systemctl that does not answer as it should. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseShown, SystemctlProperties } from '../../../../src/system/linux/systemctl-show.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-systemctl-'));
after(() => rmSync(folder, { recursive: true }));

/** A systemctl that answers so, and writes its arguments down. */
function answering(answer: string, code = 0): SystemctlProperties {
  const program = join(folder, 'systemctl');
  writeFileSync(join(folder, 'answer'), answer);
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/asked\ncat ${folder}/answer\nexit ${code}\n`);
  chmodSync(program, 0o755);
  return new SystemctlProperties(program);
}

/** The units that were asked for. */
function asked(): readonly string[] {
  const words = readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');
  return words.slice(words.indexOf('--') + 1);
}

const block = (values: Readonly<Record<string, string>>): string =>
  `${Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;

const web = {
  Id: 'web.service',
  Names: 'web.service',
  LoadState: 'loaded',
  ActiveState: 'active',
  ControlGroup: '/shop.slice/web.service',
  Slice: 'shop.slice',
  TriggeredBy: 'web.timer web.socket',
};

test('a unit is told with its state, its cgroup, its slice and its sockets', async () => {
  const found = await answering(block(web)).of(['web.service']);
  assert.deepEqual(found?.get('web.service'), {
    load: 'loaded',
    active: 'active',
    cgroup: 'shop.slice/web.service',
    slice: 'shop.slice',
    sockets: ['web.socket'],
  });
});

test('the socket of the same name is asked for first, so that it is loaded when its service is shown', async () => {
  await answering(block(web)).of(['web.service', 'foo@1.service', 'other.socket', 'web.service']);
  assert.deepEqual(asked(), ['web.socket', 'foo.socket', 'web.service', 'foo@1.service', 'other.socket']);
});

test('a socket that its service does not know of counts if it starts that service', async () => {
  const service = block({ ...web, TriggeredBy: '' });
  const socket = { Id: 'web.socket', Names: 'web.socket', LoadState: 'loaded', Accept: 'no' };
  const socketsWith = async (changes: Readonly<Record<string, string>>): Promise<readonly string[] | undefined> =>
    (await answering(`${block({ ...socket, ...changes })}\n${service}`).of(['web.service']))?.get('web.service')
      ?.sockets;
  assert.deepEqual(await socketsWith({ Triggers: 'web.service' }), ['web.socket']);
  assert.deepEqual(await socketsWith({ Triggers: 'other.service' }), []);
  assert.deepEqual(await socketsWith({ Triggers: 'web.service', LoadState: 'not-found' }), []);
});

test('with Accept=yes the socket starts instances of the template', async () => {
  const socket = block({ Id: 'foo.socket', Names: 'foo.socket', LoadState: 'loaded', Accept: 'yes' });
  const instance = block({ Id: 'foo@1.service', Names: 'foo@1.service', LoadState: 'loaded', ActiveState: 'inactive' });
  const found = await answering(`${socket}\n${instance}`).of(['foo@1.service']);
  assert.deepEqual(found?.get('foo@1.service'), {
    load: 'loaded',
    active: 'inactive',
    cgroup: undefined,
    slice: undefined,
    sockets: ['foo.socket'],
  });
});

test('an alias is found by the name that was asked for', async () => {
  const found = await answering(block({ ...web, Names: 'web.service shop.service' })).of(['shop.service']);
  assert.equal(found?.get('shop.service')?.slice, 'shop.slice');
});

test('what systemctl would take for a pattern or refuse is not asked', async () => {
  assert.equal((await answering('').of(['a*.service', 'foo@.service', '--help', 'x']))?.size, 0);
});

test('where systemctl is missing or fails nothing is known', async () => {
  assert.equal(await new SystemctlProperties(join(folder, 'none')).of(['a.service']), undefined);
  assert.equal(await answering(block(web), 1).of(['web.service']), undefined);
});

test('an answer of another form gives nothing, whatever it is', () => {
  assert.deepEqual(parseShown(''), []);
  assert.deepEqual(parseShown('garbage\n\n=\n\nNames=\n'), []);
  const [only] = parseShown('Id=a.service\nEnvironment=A=b\n');
  assert.deepEqual([only?.names, only?.value('Environment'), only?.value('None')], [['a.service'], 'A=b', '']);
});
