/** `netsteward nbrpc` as a process: signals, and what it leaves behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-daemon-'));
after(() => rm(folder, { recursive: true }));
const started: ChildProcess[] = [];
// A process that outlives a failed assertion would keep this one from ending.
after(() => {
  for (const child of started) child.kill('SIGKILL');
});
const entry = fileURLToPath(new URL('./nbrpc-entry.js', import.meta.url));

/** A started process whose output is waited for. */
class Started {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = '';
  error = '';
  #look: () => void = () => {};

  constructor(...flags: string[]) {
    this.child = spawn(process.execPath, [entry, 'nbrpc', ...flags], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(this.child);
    this.child.stdout?.on('data', (data: Buffer) => {
      this.out += data.toString();
      this.#look();
    });
    this.child.stderr?.on('data', (data: Buffer) => {
      this.error += data.toString();
      this.#look();
    });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  /** Resolves when its errors hold this. */
  said(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (pattern.test(this.error)) resolve();
      };
      this.#look();
    });
  }

  /** Resolves when both outputs together have this many lines. */
  lines(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if ((this.out + this.error).split('\n').length > count) resolve();
      };
      this.#look();
    });
  }
}

describe('nbrpc as a process', { timeout: 240_000 }, () => {
  it('checks on QUIT, tells everything on HUP, ends on TERM with code 0 and only its state file', async () => {
    // Edits within 10 ms of each other are one version by contract, so each gets a time of its own.
    let edits = 0;
    const list = async (text: string): Promise<void> => {
      await writeFile(join(folder, 'a.list'), text);
      edits += 1;
      await utimes(join(folder, 'a.list'), 1_000_000 + edits, 1_000_000 + edits);
    };
    await list('a');
    await writeFile(join(folder, 'replay'), 'a@1.1.1.1 b@1.1.1.2');
    const flags = ['-f', 'a.list', '-d', 'state.db', '-U', '-x-', '-i', 'host-addrs=0', '-i', 'addr_state=0'];
    const nbrpc = new Started(...flags, '--replay', 'replay');
    await nbrpc.lines(2);
    assert.equal(nbrpc.out, 'ok a 1.1.1.1 https\n');
    await list('a b');
    nbrpc.child.kill('SIGQUIT');
    await nbrpc.lines(5);
    assert.equal(nbrpc.out, `${'ok a 1.1.1.1 https\n'.repeat(2)}ok b 1.1.1.2 https\n`);
    nbrpc.child.kill('SIGHUP');
    await nbrpc.lines(7);
    assert.match(nbrpc.out, /^(ok a .*\n){1}(ok a .*\nok b .*\n){2}$/);
    await list('a>nosuch');
    nbrpc.child.kill('SIGQUIT');
    await nbrpc.lines(8);
    assert.match(nbrpc.error, /a\.list:1:1: a>nosuch: unknown policy/);
    nbrpc.child.kill('SIGTERM');
    assert.equal(await nbrpc.ended, 0);
    assert.deepEqual((await readdir(folder)).sort(), ['a.list', 'replay', 'state.db']);
  });

  it('goes on checking while a hook hangs or its socket never answers, ends it in time, and tells again', async () => {
    const work = join(folder, 'hooks');
    await mkdir(work);
    const at = (name: string): string => join(work, name);
    // Hangs the first time, and takes the policy the second time.
    const hook = `#!/bin/sh\nif [ -e ${at('seen')} ]; then cat >${at('told')}; else touch ${at('seen')}; sleep 20; fi\n`;
    await writeFile(at('hook.sh'), hook, { mode: 0o755 });
    const list = async (text: string, edit: number): Promise<void> => {
      await writeFile(at('a.list'), text);
      await utimes(at('a.list'), 1_000_000 + edit, 1_000_000 + edit);
    };
    await writeFile(at('replay'), 'a@1.1.1.1 b@1.1.1.2 c@1.1.1.3');
    const silent = createServer((socket) => socket.unref());
    silent.unref();
    await new Promise<void>((resolve) => silent.listen(at('silent.sock'), resolve));
    const common = ['-f', at('a.list'), '--replay', at('replay'), '-U', '--debug', '-i', 'host-addrs=0'];
    const times = ['-t', 'policy-cmd=1.5', '-t', 'kill=0.2'];
    for (const [target, failure] of [
      [['-x', at('hook.sh')], /hook\.sh: did not end within 1\.5 s/],
      [['-s', '-x', at('silent.sock')], /silent\.sock: no answer within 1\.5 s/],
      [['-x', at('missing')], /missing: .*ENOENT/],
    ] as const) {
      await list('a', 1);
      const nbrpc = new Started(
        '-d',
        at(`${target.length}${failure.source.length}.db`),
        ...common,
        ...times,
        ...target,
      );
      await nbrpc.said(/a: unknown to ok/);
      await list('a b', 2);
      nbrpc.child.kill('SIGQUIT');
      await nbrpc.said(/b: unknown to ok/);
      if (!failure.source.includes('missing')) assert.doesNotMatch(nbrpc.error, /policy not told/);
      await nbrpc.said(failure);
      await list('a b c', 3);
      nbrpc.child.kill('SIGQUIT');
      await nbrpc.said(/c: unknown to ok/);
      nbrpc.child.kill('SIGTERM');
      assert.equal(await nbrpc.ended, 0);
    }
    assert.equal(await readFile(at('told'), 'utf8'), 'ok a 1.1.1.1 https\nok b 1.1.1.2 https\nok c 1.1.1.3 https\n');
  });

  it('leaves only wanted text on standard output, and ends with code 2 for a timer that it does not know', async () => {
    const absent = new Started('-P', '-d', 'absent.db');
    assert.equal(await absent.ended, 0);
    assert.deepEqual([absent.out, absent.error], ['\n', '']);
    const wrong = new Started('-P', '-i', 'nosuch=1');
    assert.equal(await wrong.ended, 2);
    assert.equal(wrong.out, '');
  });
});
