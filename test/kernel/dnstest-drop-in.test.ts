/** The command lines of dns-test-daemon without a word more: its server and its client, with libc's resolver, in a namespace. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { decode, type StringAnswer } from 'dns-packet';
import { mainJs } from '../checkout.ts';
import { query } from '../unit/dnstest/build-answers.ts';
import { runProgram } from './dnstest-check-run.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const key = 'hash-key';
const name = '@.test.mydomain.com';

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  told(): string;
}

function start(t: TestContext, words: readonly string[], env: NodeJS.ProcessEnv = process.env): Program {
  const child = spawn(process.execPath, [mainJs, 'dnstest', ...words], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
  });
  return { child, ended, told: () => text };
}

async function says(program: Program, pattern: RegExp): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (pattern.test(program.told())) resolve();
    };
    program.child.stderr?.on('data', look);
    program.ended.then((code) => reject(new Error(`ended with ${code}: ${program.told()}`)), reject);
    look();
  });
}

/** The server of the test zone, which is libc's resolver here as well. */
async function serving(t: TestContext, ...words: readonly string[]): Promise<Program> {
  const program = start(t, ['-k', key, ...words]);
  await says(program, /listening/);
  return program;
}

const bare = (...words: readonly string[]): ReturnType<typeof runProgram> => runProgram(['dnstest', ...words]);

/** A name of the contract's table: 114.117.94.154 with this key. */
const fixed = 'random-stuff.test.mydomain.com';

if (!insideNamespace) {
  test('dns-test-daemon’s own command lines, in a namespace', async (t) => {
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  const folder = mkdtempSync('/tmp/netsteward-drop-in-');
  after(() => rmSync(folder, { recursive: true }));
  const resolvConf = join(folder, 'resolv.conf');
  writeFileSync(resolvConf, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  execFileSync('mount', ['--bind', resolvConf, '/etc/resolv.conf']);

  /** An fping that ends with this code. */
  const pathWith = (code: number): NodeJS.ProcessEnv => {
    const bin = mkdtempSync(join(folder, 'bin-'));
    writeFileSync(join(bin, 'fping'), `#!/bin/sh\n[ "$1" = -v ] && exit 0\nexit ${code}\n`, { mode: 0o755 });
    return { ...process.env, PATH: `${bin}:/usr/bin:/bin` };
  };

  test('without a word it serves at 127.0.0.1:53, for any name, with a TTL of 300 s, or with that of --cache-ttl', async (t) => {
    for (const [words, ttl] of [
      [[], 300],
      [['--cache-ttl', '7'], 7],
    ] as const) {
      const server = await serving(t, ...words);
      const socket = createSocket('udp4');
      const answer = once(socket, 'message');
      socket.send(query(fixed, 'A'), 53, '127.0.0.1');
      const [bytes] = (await answer) as [Buffer];
      socket.close();
      const [address, ...more] = decode(bytes).answers as StringAnswer[];
      assert.deepEqual([address?.data, address?.ttl, more], ['114.117.94.154', ttl, []]);
      server.child.kill('SIGINT');
      assert.equal(await server.ended, 0, server.told());
    }
  });

  test('-d tells of each query', async (t) => {
    const server = await serving(t, '-d');
    const socket = createSocket('udp4');
    socket.send(query(fixed, 'AAAA'), 53, '127.0.0.1');
    await says(server, /answered transport=udp question="random-stuff\.test\.mydomain\.com AAAA" code=NOERROR/);
    socket.close();
  });

  test('a name alone is one check by libc’s resolver: 0 where the address is right, 53 where it is not', async (t) => {
    await serving(t);
    for (const words of [
      ['-k', key, name],
      ['--hash-key', key, '-q', 'aaaa', name],
      ['-k', key, '--any', `x-@.@.test.mydomain.com`],
      // What another program has typed in letters of its own is the same name on the wire.
      ['-k', key, 'Random-Stuff.Test.mydomain.com.'],
    ]) {
      const { code, stdout, stderr } = await bare(...words);
      assert.deepEqual([code, stdout, stderr], [0, '', ''], words.join(' '));
    }
    const wrong = await bare('-k', 'other', fixed);
    assert.equal(wrong.code, 53);
    assert.match(wrong.stderr, /^netsteward: system: .*114\.117\.94\.154/m);
    assert.equal((await bare('-k', key, '-d', name)).stderr.match(/^netsteward: system: .* is right/m)?.length, 1);
  });

  test('a resolver that is gone is 53, but 0 while the host of -p does not answer either', async () => {
    assert.equal((await bare('-k', key, name)).code, 53);
    const pinging = ['dnstest', '-k', key, '-p', '192.0.2.1', name];
    assert.equal((await runProgram(pinging, pathWith(0))).code, 53);
    const down = await runProgram(pinging, pathWith(1));
    assert.equal(down.code, 0, down.stderr);
  });

  test('a wrong command line is 2', async () => {
    for (const words of [
      ['-q', 'MX', name],
      ['-c', '1:2', name],
      ['-k', 'k'.repeat(33), name],
      ['a..b'],
      [name, 'another'],
    ]) {
      const { code, stderr } = await bare(...words);
      assert.equal(code, 2, `${words.join(' ')}: ${stderr}`);
      assert.notEqual(stderr, '');
    }
  });

  test('-c goes on while all is well, and ends well with each signal', async (t) => {
    const server = await serving(t, '-d');
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const before = server.told().length;
      const watch = start(t, ['-k', key, '-c', '.05:2:.2', name]);
      while (
        (
          server
            .told()
            .slice(before)
            .match(/question=/g) ?? []
        ).length < 4
      )
        await once(server.child.stderr ?? assert.fail(), 'data');
      watch.child.kill(signal);
      assert.equal(await watch.ended, 0, watch.told());
    }
  });

  test('-c ends with 53 once a check and all its retries have failed, and at the first failure without retries', async (t) => {
    // Refuses the name: a wrong address would have a second name asked for, to unmask portals.
    const server = await serving(t, '-d', '--zone', 'elsewhere.example');
    for (const rhythm of ['.05:2:.2', '.05:0:0']) {
      const watch = start(t, ['-k', key, '-c', rhythm, name]);
      assert.equal(await watch.ended, 53, watch.told());
    }
    // One and two retries, then one; each check is a lookup of a name of its own.
    const names = [...server.told().matchAll(/question="(\S+) A"/g)].map(([, asked]) => asked);
    assert.equal(new Set(names).size, 4);
  });

  test('-c that -p excuses goes on', async (t) => {
    const excused = start(t, ['-k', key, '-p', '192.0.2.1', '-c', '.05:0:0', '-d', name], pathWith(1));
    await says(excused, /resolver-excused .*192\.0\.2\.1 does not answer(?:.*resolver-checked){2}/s);
    excused.child.kill('SIGTERM');
    assert.equal(await excused.ended, 0, excused.told());
  });
}
