/** netsteward itself with its status page on loopback, and a history of 30 days to show; no module that would touch the network. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mainJs } from '../test/checkout.ts';
import { makePageHistory } from './_page-history.ts';

export interface OwnServer {
  readonly url: string;
  stop(): Promise<void>;
}

const port = 8077;

export async function startOwn(hosts: number, days: number): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-bench-page-'));
  const at = (name: string): string => JSON.stringify(join(folder, name));
  makePageHistory(join(folder, 'history.db'), { hosts, days, until: Date.now(), resolvers: ['127.0.0.1'] });
  writeFileSync(join(folder, 'key'), 'a-key-of-the-bench', { mode: 0o600 });
  // A module must be on: the test zone's server, which waits on loopback for nobody.
  const config = `
[log]
format = "json"
[control]
socket = ${at('control.sock')}
[history]
file = ${at('history.db')}
max_size = "200MB"
[dnstest]
hash_key_file = ${at('key')}
[dnstest.serve]
bind = ["127.0.0.9:5399"]
zones = ["test.example.org"]
[page]
listen = "127.0.0.1:${port}"
`;
  writeFileSync(join(folder, 'netsteward.toml'), config);
  const child = spawn(process.execPath, [mainJs, 'run', '--config', join(folder, 'netsteward.toml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes('"event":"ready"')) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('close', (code) => reject(new Error(`netsteward ended with ${code}:\n${said}`)));
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: async () => {
      const ended = once(child, 'close');
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
