/** Who watches the page: what they are sent, how many they may be, and what becomes of who is too slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../../src/core/errors.ts';
import { heartbeat, mostWatchers } from '../../../../src/supervisor/page/live.ts';
import { lookInterval } from '../../../../src/supervisor/page/present.ts';
import type { EventRow, PageProblem, StatePatch } from '../../../../src/supervisor/page/shapes.ts';
import { quietReport } from '../../../fakes/quiet-report.ts';
import { startPage, until } from './page-under-test.ts';

interface Message {
  readonly name: string;
  readonly data: unknown;
}

const messages = (text: string): readonly Message[] =>
  [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, name = '', data = '']) => ({
    name,
    data: JSON.parse(data) as unknown,
  }));

const patches = (text: string): readonly StatePatch[] =>
  messages(text).flatMap(({ name, data }) => (name === 'state' ? [data as StatePatch] : []));

const module = (restarts: number) =>
  ({ name: 'nbrpc', state: 'running', since: 1, restarts, lastError: undefined, health: undefined }) as const;

test('the first message is the whole present; then what has changed comes, and nothing where nothing has', async (t) => {
  const { open, service, clock } = await startPage(t);
  service.report = { ...quietReport, modules: [module(0)] };
  const live = await open('/api/live');
  await until(() => patches(live.text()).length === 1);
  assert.deepEqual(patches(live.text())[0]?.modules?.put.length, 1);
  assert.equal(patches(live.text())[0]?.full, true);
  const asked = service.asked;
  await clock.advance(lookInterval);
  await until(() => service.asked > asked);
  service.report = { ...quietReport, modules: [module(1)] };
  await clock.advance(lookInterval);
  await until(() => patches(live.text()).length === 2);
  const second = patches(live.text())[1];
  assert.deepEqual([second?.full, second?.modules?.put[0]?.restarts, second?.service], [false, 1, undefined]);
  live.response.destroy();
});

test('an event comes at once, and the present after it within a second', async (t) => {
  const { open, service, clock } = await startPage(t);
  const live = await open('/api/live');
  await until(() => patches(live.text()).length === 1);
  await until(() => {
    service.happens({ at: 5, module: 'nbrpc', code: 'service-works', subject: 'a', fields: { from: 'failing' } });
    return messages(live.text()).some(({ name }) => name === 'event');
  });
  const { data } = messages(live.text()).find(({ name }) => name === 'event') ?? assert.fail();
  assert.deepEqual([(data as EventRow).subject, (data as EventRow).text], ['a', 'a works directly (before: failing)']);
  service.report = { ...quietReport, modules: [module(3)] };
  await clock.advance(1000);
  await until(() => patches(live.text()).length === 2);
  live.response.destroy();
});

test('nobody is asked anything while nobody watches', async (t) => {
  const { open, service, clock, running } = await startPage(t);
  const live = await open('/api/live');
  await until(() => patches(live.text()).length === 1);
  live.response.destroy();
  await until(() => (running.health().detail as { watchers: number }).watchers === 0);
  const asked = service.asked;
  await clock.advance(60_000);
  assert.deepEqual([service.asked, clock.waiting], [asked, 0]);
});

test('many who ask at the same time are one question to the service', async (t) => {
  const { ask, service } = await startPage(t);
  await Promise.all(Array.from({ length: 10 }, () => ask('/api/state')));
  assert.equal(service.asked, 1);
});

test('a comment every twenty seconds shows that the connection lives', async (t) => {
  const { open, clock } = await startPage(t);
  const live = await open('/api/live');
  await until(() => live.text() !== '');
  await clock.advance(heartbeat);
  await until(() => /^: .*\n\n/m.test(live.text()));
  live.response.destroy();
});

test('a service that does not answer is a message of its own; the whole present comes when it does again', async (t) => {
  const { open, service, clock } = await startPage(t);
  service.failure = new NetstewardError('not-running', 'it is gone', { remedy: 'Start it.' });
  const live = await open('/api/live');
  await until(() => messages(live.text()).length === 1);
  const [first = assert.fail()] = messages(live.text());
  assert.deepEqual([first.name, (first.data as PageProblem).remedy], ['problem', 'Start it.']);
  service.failure = undefined;
  await clock.advance(60_000);
  await until(() => patches(live.text()).some(({ full }) => full));
  live.response.destroy();
});

test('one watcher more than there may be is refused, and the others see on', async (t) => {
  const { open, ask } = await startPage(t);
  const all = await Promise.all(Array.from({ length: mostWatchers }, () => open('/api/live')));
  await until(() => all.every(({ text }) => patches(text()).length > 0));
  const refused = await ask('/api/live');
  assert.equal(refused.status, 503);
  assert.match(refused.text, /Close some of its tabs/);
  assert.ok(all.every(({ response }) => !response.destroyed));
  for (const { response } of all) response.destroy();
});

test('a watcher who reads nothing is dropped; one who reads gets everything', async (t) => {
  const { open, service, clock, running } = await startPage(t);
  const watchers = (): number => (running.health().detail as { watchers: number }).watchers;
  const slow = await open('/api/live');
  await until(() => patches(slow.text()).length === 1);
  slow.response.pause();
  const good = await open('/api/live');
  await until(() => patches(good.text()).length === 1 && watchers() === 2);
  // More than sockets of the kernel hold (net.ipv4.tcp_wmem, tcp_rmem), and than what may wait here.
  for (let round = 1; watchers() === 2 && round < 500; round++) {
    service.report = { ...quietReport, modules: [{ ...module(round), lastError: 'x'.repeat(200_000) }] };
    await clock.advance(lookInterval);
    await until(() => patches(good.text()).length > round || watchers() < 2);
  }
  assert.equal(watchers(), 1);
  good.response.destroy();
});
