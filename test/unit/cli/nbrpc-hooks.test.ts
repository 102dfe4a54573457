/** Where nbrpc's policy goes: commands, sockets, standard output; and what becomes of those that fail or hang. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { policyHook } from '../../../src/cli/nbrpc-hooks.ts';
import { systemClock } from '../../../src/core/clock.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-hooks-'));
after(() => rm(folder, { recursive: true }));
const lines = 'ok a 1.1.1.1 https\nna b 1.1.1.2 https\n';
const settings = { clock: systemClock, out: () => {}, socket: false, timeout: 10, kill: 0.2 };

describe('a hook', () => {
  it('of "-" prints the lines with one line feed at the end, and a blank line for none', async () => {
    let printed = '';
    const out = (text: string): void => {
      printed += text;
    };
    const hook = policyHook('-', { ...settings, out });
    await hook(`${lines}\n\n`);
    await hook('');
    assert.equal(printed, `${lines}\n`);
  });

  it('gets the lines on its standard input and its words as they are, without a shell', async () => {
    const script = join(folder, 'hook.sh');
    await writeFile(script, `#!/bin/sh\necho "$# $1" >${folder}/out\ncat >>${folder}/out\n`);
    await chmod(script, 0o755);
    await policyHook(`${script}  $(id);x  two`, settings)(lines);
    assert.equal(await readFile(join(folder, 'out'), 'utf8'), `2 $(id);x\n${lines}`);
  });

  it('that fails, is missing or does not read its input is told by name', async () => {
    await assert.rejects(policyHook('false', settings)(lines.repeat(10_000)), /false: ended with code 1/);
    await assert.rejects(policyHook('/nonexistent/hook', settings)(lines), /nonexistent\/hook: .*ENOENT/);
    await policyHook('true', settings)(lines.repeat(10_000));
  });

  it('that hangs is ended after its time-out, by force if it must be', async () => {
    const script = join(folder, 'hang.sh');
    await writeFile(script, `#!/bin/sh\ntrap '' TERM\necho $$ >${folder}/pid\nwhile :; do sleep 0.05; done\n`);
    await chmod(script, 0o755);
    await assert.rejects(
      policyHook(script, { ...settings, timeout: 0.4, kill: 0.1 })(lines),
      /did not end within 0.4 s/,
    );
    assert.equal(existsSync(`/proc/${(await readFile(join(folder, 'pid'), 'utf8')).trim()}`), false);
  });
});

describe('a socket', () => {
  async function withServer(answer: (socket: Socket, text: string) => void, work: (path: string) => Promise<void>) {
    const path = join(folder, 'policy.sock');
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      let text = '';
      socket.on('error', () => {});
      socket.on('data', (data) => {
        text += data.toString();
        if (text.endsWith('\n\n')) answer(socket, text);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await work(path);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }
  const socketSettings = { ...settings, socket: true, timeout: 0.4 };

  it('gets the lines and an empty line, and answers OK', async () => {
    const got: string[] = [];
    await withServer(
      (socket, text) => {
        got.push(text);
        socket.end('OK\n');
      },
      async (path) => {
        await policyHook(path, socketSettings)(lines);
        await policyHook(path, socketSettings)('');
      },
    );
    assert.deepEqual(got, [`${lines}\n`, '\n\n']);
  });

  it('that answers OK and leaves its side open has taken the policy, if it says no more', async () => {
    const patient = { ...socketSettings, timeout: 10 };
    await withServer(
      (socket) => socket.write('OK\n'),
      (path) => policyHook(path, patient)(lines),
    );
    await withServer(
      (socket) => {
        socket.write('O');
        setImmediate(() => socket.end('K\n'));
      },
      (path) => policyHook(path, patient)(lines),
    );
    await withServer(
      (socket) => {
        socket.write('OK\n');
        setImmediate(() => socket.write('but'));
      },
      (path) => assert.rejects(policyHook(path, patient)(lines), /something else than OK/),
    );
  });

  it('that answers otherwise, not at all, or is not there is told', async () => {
    const rejects = (answer: (socket: Socket) => void, why: RegExp) =>
      withServer(answer, (path) => assert.rejects(policyHook(path, socketSettings)(lines), why));
    await rejects((socket) => socket.end('NO\n'), /something else than OK/);
    await rejects((socket) => socket.end('OK'), /something else than OK/);
    await rejects((socket) => socket.end('OK\n\n'), /something else than OK/);
    await rejects((socket) => socket.end(), /closed without an answer/);
    await rejects((socket) => socket.write('x'.repeat(1000)), /something else than OK/);
    await rejects(() => {}, /no answer within 0.4 s/);
    await assert.rejects(policyHook(join(folder, 'none.sock'), socketSettings)(lines), /ENOENT/);
  });
});
