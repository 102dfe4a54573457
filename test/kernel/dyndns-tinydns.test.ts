/** From packet to answer: the real program, the real tinydns-data and the real tinydns, in a namespace of their own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodePacket } from '../../src/dyndns/packet.ts';
import { mainJs } from '../checkout.ts';
import {
  aaaa,
  answered,
  answers,
  authority,
  key,
  lackingForSite,
  loopback,
  name,
  now,
  onSite,
  port,
  second,
  send,
  until,
} from './dyndns-site.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

if (!insideNamespace) {
  test('dyndns on real tinydns, in a namespace', async (t: TestContext) => {
    const lacking = lackingForSite();
    if (lacking !== undefined) return t.skip(lacking);
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  test('a signed packet moves the A record, and the real tinydns answers with the new address', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n=fixed.example.org:127.0.0.5:300`;
    await onSite(zone, async (site) => {
      const server = await site.serve('--verify', '127.0.0.1');
      await answered('A', '127.0.0.5', server);
      const timestamp = now();
      await send(encodePacket(key, timestamp), '127.0.0.6');
      await answered('A', '127.0.0.6', server);
      const text = zone
        .replace('# dynamic: 0', `# dynamic: ${timestamp.toFixed(2)}`)
        .replace(':127.0.0.5:300\n=', ':127.0.0.6:300\n=');
      assert.equal(readFileSync(site.zone, 'utf8'), text);
      await until(() => server.said().includes('published'), server.said);
      assert.equal(await server.stop(), 0, server.said());
    });
  });

  test('two families of one round move A and AAAA, and two clients do not disturb each other', async () => {
    const other = 'other.example.org';
    const zone = [
      authority.trim(),
      `# dynamic: 0 ${key.verify.text}`,
      `+${name}:127.0.0.5:300`,
      aaaa(name, loopback),
      '',
      `# dynamic: 0 ${second.verify.text}`,
      `+${other}:127.0.0.5:300`,
    ].join('\n');
    await onSite(zone, async (site) => {
      const server = await site.serve();
      const round = encodePacket(key, now());
      await Promise.all([send(round, '127.0.0.77'), send(round, '::1')]);
      await send(encodePacket(second, now()), '127.0.0.123');
      await answered('A', '127.0.0.77', server);
      await answered('A', '127.0.0.123', server, other);
      await until(async () => /^(?:::1|0:0:0:0:0:0:0:1)$/.test((await answers('AAAA'))[0] ?? ''), server.said);
      assert.equal(await server.stop(), 0, server.said());
    });
  });

  test('a captured packet that changed nothing is not taken again, not even after a kill', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      const first = await site.serve();
      const alive = encodePacket(key, now());
      await send(alive, '127.0.0.5');
      await until(() => first.said().includes('update-accepted'), first.said);
      assert.equal(readFileSync(site.zone, 'utf8'), zone);
      await first.stop('SIGKILL');
      const again = await site.serve('--debug');
      await send(alive, '127.0.0.66');
      await until(() => again.said().includes('not-newer'), again.said);
      assert.equal(readFileSync(site.zone, 'utf8'), zone);
      await send(encodePacket(key, now()), '127.0.0.7');
      await answered('A', '127.0.0.7', again);
      assert.equal(await again.stop(), 0, again.said());
    });
  });

  test('a key that is added while it runs may send at once, and one that is removed is unknown', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      const server = await site.serve('--debug');
      writeFileSync(site.zone, `${authority}# dynamic: 0 ${second.verify.text}\n+${name}:127.0.0.5:300\n`);
      // A zone is looked at again a second after the last time.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await send(encodePacket(second, now()), '127.0.0.8');
      await answered('A', '127.0.0.8', server);
      await send(encodePacket(key, now()), '127.0.0.9');
      await until(() => server.said().includes('key-unknown'), server.said);
      assert.deepEqual(await answers('A'), ['127.0.0.8']);
      assert.equal(await server.stop(), 0, server.said());
    });
  });

  test('an update command that fails is tried again, and so is what a kill has interrupted', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      // tinydns-data makes its file anew under this name.
      mkdirSync(join(site.folder, 'root', 'data.tmp'));
      const server = await site.serve();
      await send(encodePacket(key, now()), '127.0.0.10');
      await until(() => server.said().includes('not-published'), server.said);
      assert.deepEqual(await answers('A'), ['127.0.0.5']);
      await server.stop('SIGKILL');
      rmSync(join(site.folder, 'root', 'data.tmp'), { recursive: true });
      const next = await site.serve();
      await answered('A', '127.0.0.10', next);
      assert.equal(await next.stop(), 0, next.said());
    });
  });

  test('the first packet to a socket unit starts it, is taken itself, and it ends when it is idle', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      const flags = ['dyndns', 'serve', '--systemd', '--idle-exit', '1', site.zone, '--', 'true'];
      const command = ['--datagram', '--listen', `[::]:${port}`, process.execPath, mainJs, ...flags];
      const activate = spawn('systemd-socket-activate', command, { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      activate.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const exit = once(activate, 'exit');
      await until(
        () => said.includes('Listening'),
        () => said,
      );
      // It listens for IPv4 too, whose senders have mapped addresses.
      await send(encodePacket(key, now()), '127.0.0.44');
      assert.deepEqual(await exit, [0, null], said);
      assert.match(readFileSync(site.zone, 'utf8'), /\+home\.example\.org:127\.0\.0\.44:300/);
    });
  });

  test('the table [dyndns] does the same under the supervisor, and its status names what moved', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      const socket = join(site.folder, 'control.sock');
      const config = join(site.folder, 'n.toml');
      const command = ['sh', '-c', 'cd "$0" && tinydns-data', join(site.folder, 'root')];
      writeFileSync(
        config,
        `[history]\noff = true\n[control]\nsocket = "${socket}"\n[dyndns]\nstate = "state.db"\nverify = "127.0.0.1"\n` +
          `[[dyndns.zone]]\nfile = "root/data"\nupdate_command = ${JSON.stringify(command)}\n` +
          `[[dyndns.key]]\nkey = "${key.verify.text}"\nsources = ["127.0.0.0/8"]\n`,
      );
      const child = spawn(process.execPath, [mainJs, 'run', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const exit = once(child, 'exit');
      const status = (): string =>
        spawnSync(process.execPath, [mainJs, 'dyndns', 'status', '--socket', socket], { encoding: 'utf8' }).stdout;
      await until(
        () => status().includes('on [::]:5533'),
        () => said,
      );
      await send(encodePacket(key, now()), '127.0.0.91');
      await until(
        async () => (await answers('A')).includes('127.0.0.91'),
        () => said,
      );
      await until(
        () => new RegExp(`^${name} +127\\.0\\.0\\.91 +heard 2.* ${key.verify.id}$`, 'm').test(status()),
        status,
      );
      child.kill('SIGTERM');
      assert.deepEqual(await exit, [0, null], said);
    });
  });

  test('it ends when it is idle', async () => {
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n`;
    await onSite(zone, async (site) => {
      const server = await site.serve('--idle-exit', '0.5');
      await once(server.child, 'exit');
      assert.equal(server.child.exitCode, 0, server.said());
    });
  });
}
