/** From packet to answer: the real program, the real tinydns-data and the real tinydns, in a namespace of their own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { readSeed, type SigningKey } from '../../src/dyndns/keys.ts';
import { encodePacket } from '../../src/dyndns/packet.ts';
import { UdpNameServer } from '../../src/system/linux/name-server.ts';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const port = 5533;
const name = 'home.example.org';

/** The contract's first key, and one more. */
const seeds = ['1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=', 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA='];

function keyOf(seed = ''): SigningKey {
  const read = readSeed(seed);
  if (read.problem !== undefined) throw new Error(read.problem);
  return read.value;
}

const [key, second] = [keyOf(seeds[0]), keyOf(seeds[1])];

/** A generic AAAA record, which Debian's tinydns knows. */
function aaaa(host: string, bytes: readonly number[]): string {
  return `:${host}:28:${bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}:300`;
}

const loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

interface Site {
  readonly folder: string;
  readonly zone: string;
  /** Starts the server; resolves when it listens. */
  serve(...flags: string[]): Promise<Server>;
}

interface Server {
  readonly child: ChildProcess;
  readonly said: () => string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

async function onSite(zoneText: string, work: (site: Site) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dyndns-'));
  mkdirSync(join(folder, 'root'));
  const zone = join(folder, 'root', 'data');
  writeFileSync(zone, zoneText);
  const build = 'cd "$0" && tinydns-data && echo run >> ../runs';
  assert.equal(spawnSync('sh', ['-c', build, join(folder, 'root')]).status, 0);
  const running: ChildProcess[] = [];
  // A user namespace of an ordinary user forbids setgroups(2) (user_namespaces(7)), which tinydns calls to give up root.
  const shim = join(folder, 'setgroups.so');
  const code = 'int setgroups(unsigned long count, const void *list) { return 0; }';
  const compiled = spawnSync('cc', ['-shared', '-fPIC', '-x', 'c', '-o', shim, '-'], { input: code, encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stderr);
  const tinydns = spawn('tinydns', {
    env: { PATH: process.env.PATH, ROOT: join(folder, 'root'), IP: '127.0.0.1', UID: '0', GID: '0', LD_PRELOAD: shim },
    stdio: 'ignore',
  });
  running.push(tinydns);
  try {
    await work({
      folder,
      zone,
      async serve(...flags) {
        const args = [mainJs, 'dyndns', 'serve', ...flags, zone, '--', 'sh', '-c', build, join(folder, 'root')];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        running.push(child);
        let said = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
        await until(
          () => said.includes('listening') || child.exitCode !== null,
          () => said,
        );
        assert.equal(child.exitCode, null, said);
        return {
          child,
          said: () => said,
          async stop(signal = 'SIGTERM') {
            if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
            const exit = once(child, 'exit');
            child.kill(signal);
            const [code] = await exit;
            return code as number | null;
          },
        };
      },
    });
  } finally {
    for (const child of running) if (child.exitCode === null) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`did not come true: ${what()}`);
}

/** From a source address of this host. */
async function send(packet: Uint8Array, source: string): Promise<void> {
  const socket = createSocket(source.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => socket.bind(0, source, resolve));
  await new Promise((resolve) =>
    socket.send(packet, port, source.includes(':') ? '::1' : '127.0.0.1', () => resolve(undefined)),
  );
  socket.close();
}

const asker = new UdpNameServer(systemClock);

async function answers(type: 'A' | 'AAAA', host = name): Promise<readonly string[]> {
  const answer = await asker.ask({ server: '127.0.0.1', port: 53, name: host, type, timeout: 500 });
  return answer.ok ? answer.addresses : [answer.reason];
}

async function answered(type: 'A' | 'AAAA', address: string, server: Server, host = name): Promise<void> {
  let last: readonly string[] = [];
  await until(
    async () => {
      last = await answers(type, host);
      return last.includes(address);
    },
    () => `${host} ${type} ${address}, but ${last.join()}; ${server.said()}`,
  );
}

const now = (): number => Date.now() / 1000;
const authority = `.example.org:127.0.0.1:a\n`;

if (!insideNamespace) {
  test('dyndns on real tinydns, in a namespace', async (t: TestContext) => {
    const found = spawnSync('sh', [
      '-c',
      'PATH=$PATH:/usr/sbin; command -v tinydns-data && command -v tinydns && command -v cc',
    ]);
    if (found.status !== 0) return t.skip('NOT TESTED: tinydns or a C compiler is not installed (apt: tinydns gcc)');
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

  test('killed at any moment and started again, it loses no accepted update and changes no byte that is not its own', async () => {
    const tail = `\n=fixed.example.org:127.0.0.5:300\n# a note \xff\n${'+filler.example.org:192.0.2.9\n'.repeat(500)}`;
    const zone = `${authority}# dynamic: 0 ${key.verify.text}\n+${name}:127.0.0.5:300\n${tail}`;
    await onSite(zone, async (site) => {
      for (let round = 1; round <= 12; round += 1) {
        const server = await site.serve();
        const address = `127.0.0.${round + 20}`;
        const timestamp = now();
        await send(encodePacket(key, timestamp), address);
        // Each round a little later: while it checks, saves, writes, publishes.
        await new Promise((resolve) => setTimeout(resolve, round * 3));
        await server.stop('SIGKILL');
        const accepted = server.said().includes('update-accepted');
        const text = readFileSync(site.zone, 'latin1');
        assert.ok(text.endsWith(`:300\n${Buffer.from(tail).toString('latin1')}`), 'bytes of others are as they were');
        assert.match(
          text.slice(0, -tail.length),
          /^\.[^\n]*\n# dynamic: \S+ \S+\n\+home\.example\.org:127[.\d]*:300\n/,
        );
        if (!accepted) continue;
        const next = await site.serve();
        await answered('A', address, next);
        await next.stop();
      }
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
        `[control]\nsocket = "${socket}"\n[dyndns]\nstate = "state.db"\nverify = "127.0.0.1"\n` +
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
