/** `netsteward nbrpc` as whole processes: what ends it, what it leaves in its folder, who reads what, and others beside it. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { registerNbrpc } from '../../../src/cli/nbrpc.ts';
import { mainJs } from '../../checkout.ts';

const root = await mkdtemp(join(tmpdir(), 'netsteward-nbrpc-'));
after(() => rm(root, { recursive: true }));
const started: ChildProcess[] = [];
// A process that outlives a failed assertion would keep this one from ending.
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

let folders = 0;
let edits = 0;

/** A folder with a list, a rehearsal's file, and ways to run the program in it. */
class Bench {
  readonly path = join(root, String(++folders));

  static async of(list: string, replay: string): Promise<Bench> {
    const bench = new Bench();
    await mkdir(bench.path);
    await bench.list(list);
    await writeFile(join(bench.path, 'replay'), replay);
    return bench;
  }

  async list(text: string): Promise<void> {
    const path = join(this.path, 'a.list');
    await writeFile(path, text);
    // Edits within 10 ms of each other are one version by contract, so each gets a time of its own.
    edits += 1;
    await utimes(path, 1_000_000 + edits, 1_000_000 + edits);
  }

  /** Names of files beside the list and the rehearsal's file. */
  async left(): Promise<readonly string[]> {
    return (await readdir(this.path)).filter((name) => name !== 'a.list' && name !== 'replay').sort();
  }

  #args(words: readonly string[]): string[] {
    return [mainJs, 'nbrpc', '-d', 'state.db', ...words];
  }

  run(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string; error: string }> {
    return new Promise((resolve) => {
      const options = { cwd: this.path, env: { ...process.env, ...env } };
      const child = execFile(process.execPath, this.#args(words), options, (_failed, out, error) => {
        resolve({ code: child.exitCode ?? -1, out, error });
      });
      started.push(child);
    });
  }

  daemon(...words: string[]): Daemon {
    return new Daemon(
      spawn(process.execPath, this.#args(['-f', 'a.list', '--replay', 'replay', ...words]), {
        cwd: this.path,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }
}

class Daemon {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = '';
  error = '';
  #look: () => void = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    started.push(child);
    child.stdout?.on('data', (data: Buffer) => {
      this.out += data.toString();
      this.#look();
    });
    child.stderr?.on('data', (data: Buffer) => {
      this.error += data.toString();
      this.#look();
    });
    this.ended = new Promise((resolve) => child.on('close', resolve));
  }

  /** Resolves when what it has printed, or said on standard error, holds this. */
  shows(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (pattern.test(this.out) || pattern.test(this.error)) resolve();
      };
      this.#look();
    });
  }
}

const rehearsed = ['-f', 'a.list', '--replay', 'replay'];

describe('a process of nbrpc', { timeout: 240_000 }, () => {
  it('that is told to end as soon as its state file is there ends with code 0 and leaves only that', async () => {
    for (const [signal, words] of [
      ['SIGTERM', ['-f', 'a.list', '-U', '-x-', '--no-gates']],
      ['SIGINT', [...rehearsed, '-U', '-x-']],
      ['SIGTERM', ['-F', '--replay', 'replay']],
      ['SIGHUP', [...rehearsed, '-n9']],
      ['SIGQUIT', ['-P']],
    ] as const) {
      const bench = await Bench.of('a', 'a@1.1.1.1');
      const seen = new Promise<void>((resolve) => {
        const watcher = watch(bench.path, () => {
          if (!existsSync(join(bench.path, 'state.db'))) return;
          watcher.close();
          resolve();
        });
      });
      const child = spawn(process.execPath, [mainJs, 'nbrpc', '-d', 'state.db', ...words], {
        cwd: bench.path,
        stdio: 'ignore',
      });
      started.push(child);
      const ended = new Promise((resolve) => child.on('close', (code, by) => resolve([code, by])));
      await seen;
      child.kill(signal);
      assert.deepEqual(await ended, [0, null], `${signal} ${words.join(' ')}`);
      assert.deepEqual(await bench.left(), ['state.db']);
    }
  });

  it('whose reader has gone ends, and leaves only its state file', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1 b@1.1.1.2');
    const daemon = bench.daemon('-x-', '-i', 'host-addrs=0');
    await daemon.shows(/^ok a /);
    daemon.child.stdout?.destroy();
    await bench.list('a b');
    daemon.child.kill('SIGQUIT');
    assert.equal(await daemon.ended, 0);
    assert.deepEqual(await bench.left(), ['state.db']);
  });

  it('prints only what is wanted to standard output, and everything else to standard error', async () => {
    const bench = await Bench.of('a c:ftp gone', 'a@1.1.1.1 c@1.1.1.2');
    const { code, out, error } = await bench.run([...rehearsed, '-n9', '-x-', '--debug']);
    assert.deepEqual([code, out], [0, 'ok a 1.1.1.1 https\nok c 1.1.1.2 ftp\n']);
    assert.match(error, /^nbrpc: warning: a\.list:1:3: c: unknown check type "ftp"/);
    assert.match(error, /^nbrpc: warning: gone does not resolve/m);
    assert.match(error, /^nbrpc: info: a: unknown to ok$/m);
    await bench.list('a=404 c:ftp');
    const quiet = await bench.run([...rehearsed, '-qn9']);
    assert.deepEqual([quiet.code, quiet.out], [0, '']);
    assert.doesNotMatch(quiet.error, /info|debug/);
  });

  it('has its file after every run, also where there is nothing to keep; -P of an absent one is a blank line', async () => {
    const bench = await Bench.of('nothing', '');
    for (const words of [['-P'], ['-Z.'], ['-Fn9', '--replay', 'replay'], [...rehearsed, '-n9']]) {
      const { code, out } = await bench.run(words);
      assert.deepEqual([code, out], [0, words[0] === '-P' ? '\n' : '']);
      assert.deepEqual(await bench.left(), ['state.db']);
      await rm(join(bench.path, 'state.db'));
    }
  });

  it('takes no harm from a write-ahead log beside a removed state file', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    await writeFile(join(bench.path, 'state.db-wal'), 'left over'.repeat(1000));
    const { code, out } = await bench.run([...rehearsed, '-n9', '-x-']);
    assert.deepEqual([code, out], [0, 'ok a 1.1.1.1 https\n']);
    assert.deepEqual(await bench.left(), ['state.db']);
  });

  it('shares its file with others at the same time, and the last one leaves it alone', async () => {
    const bench = await Bench.of('a b>pick', 'a@1.1.1.1 a@1::3 b@1.1.1.2=0');
    const runs = ['1', '2', '3'].flatMap((now) => [
      bench.run([...rehearsed, '--now', `100${now}`, '-n9']),
      bench.run(['-Fn9', '--replay', 'replay', '--now', `100${now}`]),
      bench.run(['-P']),
    ]);
    for (const { code, error } of await Promise.all(runs)) assert.deepEqual([code, /error/.test(error)], [0, false]);
    assert.deepEqual(await bench.left(), ['state.db']);
    const { out } = await bench.run([...rehearsed, '--now', '1009', '-Sqn9', '-x-']);
    assert.equal(out, 'ok a 1.1.1.1 https\nok a 1::3 https\nna b 1.1.1.2 https\n');
  });

  it('prints times in the zone of --tz, else of TZ', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    await bench.run([...rehearsed, '--now', '1767225600', '-n9']);
    const times = async (words: string[], tz: string): Promise<string | undefined> =>
      /@ (\S+)\]/.exec((await bench.run(['-P', ...words], { TZ: tz })).out)?.[1];
    assert.equal(await times([], 'Asia/Kolkata'), '2026-01-01.05:30');
    assert.equal(await times([], 'UTC'), '2026-01-01.00:00');
    assert.equal(await times(['--tz', 'America/New_York'], 'Asia/Kolkata'), '2025-12-31.19:00');
  });

  it('goes on after a hook that fails, with code 0 and the reason on standard error', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    const { code, out, error } = await bench.run([...rehearsed, '-qn9', '-X', 'false with words', '-x-']);
    assert.deepEqual([code, out], [0, 'ok a 1.1.1.1 https\n']);
    assert.equal(error, 'nbrpc: error: policy not told: false: ended with code 1\n');
  });

  it('with -s sends updates and whole policies to sockets, also an empty policy', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    const got: string[] = [];
    const server = createServer((socket) => {
      let text = '';
      socket.on('data', (data) => {
        text += data.toString();
        if (!text.endsWith('\n\n')) return;
        got.push(text);
        socket.end('OK\n');
      });
    });
    // A path of digits is a path, and no port.
    await new Promise<void>((resolve) => server.listen(join(bench.path, '4242'), resolve));
    try {
      const send = ['-sX', '4242', '-x', '4242'];
      await bench.run([...rehearsed, '-n9', ...send]);
      await bench.list('');
      const { code, error } = await bench.run([...rehearsed, '-n9', ...send]);
      assert.deepEqual([code, error], [0, '']);
      assert.deepEqual(got, ['ok a 1.1.1.1 https\n\n', 'ok a 1.1.1.1 https\n\n', '\n\n']);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('that rehearses takes an edited rehearsal with the next pass, and goes on with the one before where that is wrong', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    const daemon = bench.daemon('-X-', '-i', 'host-addrs=0');
    await daemon.shows(/^ok a 1\.1\.1\.1 https\n$/);
    await writeFile(join(bench.path, 'replay'), 'a@1.1.1.1=x');
    daemon.child.kill('SIGQUIT');
    await daemon.shows(/replay:1:1: a@1\.1\.1\.1=x: must be \[host@\]address\[=code\]/);
    await writeFile(join(bench.path, 'replay'), 'a@1.1.1.1 a@1.1.1.2');
    daemon.child.kill('SIGQUIT');
    await daemon.shows(/^ok a 1\.1\.1\.2 https\n$/m);
    daemon.child.kill('SIGTERM');
    assert.equal(await daemon.ended, 0);
    assert.equal(daemon.out, 'ok a 1.1.1.1 https\nok a 1.1.1.2 https\n');
  });

  it('tells the whole policy when another process has changed it', async () => {
    const bench = await Bench.of('a', 'a@1.1.1.1');
    const daemon = bench.daemon('-x-', '--debug');
    await daemon.shows(/^ok a 1\.1\.1\.1 https\n$/);
    await writeFile(join(bench.path, 'replay'), 'a@1.1.1.1=0');
    for (const turn of [1, 2]) assert.equal((await bench.run([...rehearsed, '-ua'])).code, 0, String(turn));
    daemon.child.kill('SIGQUIT');
    await daemon.shows(/^na a 1\.1\.1\.1 https\n$/m);
    daemon.child.kill('SIGTERM');
    assert.equal(await daemon.ended, 0);
    assert.equal(daemon.out, 'ok a 1.1.1.1 https\nna a 1.1.1.1 https\n');
  });
});

describe('the printed state', () => {
  it('on a terminal has 16 columns less than that, and 110 where its size is not known', async () => {
    const bench = await Bench.of('long-name.of-a-host.example', 'long-name.of-a-host.example@1.1.1.1');
    await bench.run([...rehearsed, '--now', '1000', '-n9']);
    const line = 'long-name.of-a-host.example [https OK @ 1970-01-01.00:16]:';
    for (const [columns, expected] of [
      [undefined, line],
      [0, line],
      [74, line],
      [73, `${line.slice(0, 54)}...`],
      [60, `${line.slice(0, 41)}...`],
    ] as const) {
      let printed = '';
      const program = new Command().exitOverride();
      registerNbrpc(program, { out: (text) => (printed += text), error: assert.fail, columns });
      await program.parseAsync(['nbrpc', '-P', '--tz', 'UTC', '-d', join(bench.path, 'state.db')], { from: 'user' });
      assert.equal(printed.split('\n')[1], expected, String(columns));
    }
  });
});
