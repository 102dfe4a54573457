/** How `netsteward nft-agent -s PATH` ends: whatever ends it but SIGKILL, its socket goes with it. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

type Child = ChildProcessByStdio<null, Readable, Readable>;

if (!insideNamespace) {
  it('nft-agent ends (in a namespace)', (t) => repeatInNamespace(t, import.meta.url));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'nft-agent-ends-'));
  const started: Child[] = [];
  after(() => {
    for (const child of started) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  const start = async (...flags: string[]): Promise<{ child: Child; ended: Promise<unknown[]> }> => {
    const words = [mainJs, 'nft-agent', ...flags];
    const child = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    started.push(child);
    const ended = new Promise<unknown[]>((resolve) => child.on('close', (...how) => resolve(how)));
    await new Promise<void>((resolve) => {
      let text = '';
      child.stderr.on('data', (data: Buffer) => {
        text += data.toString();
        if (text.includes('listening on')) resolve();
      });
    });
    return { child, ended };
  };

  describe('nft-agent', () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
      it(`ends on ${signal} with code 0 and takes its socket along`, async () => {
        const path = join(folder, signal);
        const { child, ended } = await start('-s', path);
        assert.ok(existsSync(path));
        child.kill(signal);
        assert.deepEqual(await ended, [0, null]);
        assert.ok(!existsSync(path));
      });
    }

    it('takes its socket along where the reader of --nft-print has gone', async () => {
      const path = join(folder, 'unread');
      const { child, ended } = await start('-s', path, '-4', 'ok:na', '-p');
      child.stdout.destroy();
      const peer = connect(path);
      peer.on('error', () => {});
      peer.write('na a.example 192.0.2.1 https\n\n');
      assert.deepEqual(await ended, [0, null]);
      assert.ok(!existsSync(path));
    });

    it('takes a path of digits for a path, and no port', async () => {
      const { child, ended } = await start('-s', '4242');
      assert.ok(existsSync(join(folder, '4242')));
      child.kill('SIGTERM');
      await ended;
    });
  });
}
