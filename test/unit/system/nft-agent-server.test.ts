/** How long the agent's server waits for whom: real sockets, a clock that stands still, a ruleset in memory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serveAgent } from '../../../src/system/linux/nft-agent-server.ts';
import { ownTableConfig } from '../../fakes/agent-configs.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const config = ownTableConfig;
const line = (fields: unknown): string => `${JSON.stringify(fields)}\n`;
const configure = line({ type: 'configure', id: 1, config, onStop: 'keep' });

async function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-agent-'));
  const [ruleset, clock, said] = [new FakeRuleset(), new FakeClock(), [] as string[]];
  const path = join(folder, 'nft.sock');
  const nft = ruleset.open();
  const say = (_level: string, text: string): void => void said.push(text);
  const server = await serveAgent({ path, config, version: '1.2.3', clock, nft, events: ruleset.events(), say });
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close('keep');
    rmSync(folder, { recursive: true });
  });
  /** A client that has said this. */
  const client = async (text: string): Promise<Socket> => {
    const socket = connect(path);
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.resume();
    if (text !== '') await new Promise((sent) => socket.write(text, sent));
    return socket;
  };
  /** Turns of the event loop until it is so; the runner's time limit ends it. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, said, client, until, ruleset, server };
}

test('a connection that sends nothing is closed after ten seconds', async (t) => {
  const { clock, said, client, until } = await setUp(t);
  const socket = await client('');
  await until(() => clock.waiting > 0);
  await clock.advance(9999);
  assert.equal(socket.closed, false);
  await clock.advance(1);
  await until(() => socket.closed);
  assert.deepEqual(said, ['a client was cut off: it sent no request']);
});

test('a client that is served may be idle for ever, but not in the middle of a line', async (t) => {
  const { clock, said, client, until } = await setUp(t);
  const socket = await client(configure);
  await once(socket, 'data');
  await until(() => clock.waiting === 0);
  await clock.advance(86_400_000);
  assert.equal(socket.closed, false);
  socket.write('{"type":"upd');
  await until(() => clock.waiting > 0);
  await clock.advance(5000);
  socket.write('ate","id":2');
  await clock.advance(4999);
  assert.equal(socket.closed, false);
  await clock.advance(1);
  await until(() => socket.closed);
  assert.deepEqual(said, ['a client was cut off: it did not end its line']);
});

test('a newer client that is allowed takes over from an older one', async (t) => {
  const { client, until } = await setUp(t);
  const older = await client(configure);
  await once(older, 'data');
  const newer = await client(configure);
  await once(newer, 'data');
  await until(() => older.closed);
  assert.equal(newer.closed, false);
});

test('a stop of the agent leaves the sets as the agent was told, not as its client', async (t) => {
  const { client, server, ruleset } = await setUp(t);
  const socket = await client(configure.replace('keep', 'flush'));
  await once(socket, 'data');
  socket.write(line({ type: 'replace', id: 2, sets: { blocked4: ['127.0.0.1'] } }));
  await once(socket, 'data');
  const scripts = ruleset.applied.length;
  await server.close('keep');
  assert.equal(ruleset.applied.length, scripts);
  assert.match(ruleset.applied.at(-1) ?? '', /127\.0\.0\.1/);
});
