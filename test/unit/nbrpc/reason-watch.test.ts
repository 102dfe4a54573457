/** Second looks beside the checks: which are made, when, and what is told of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cause, cause } from '../../../src/nbrpc/reason.ts';
import { CauseWatch, type Failed } from '../../../src/nbrpc/reason-watch.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

const sni = cause('tls', 'sni', 'reset on the ClientHello');

function failing(address: string, change: Partial<Failed> = {}): Failed {
  return {
    host: 'video.example',
    address,
    check: { type: 'https', path: '/', result: '' },
    cause: cause('tls', 'reset'),
    current: true,
    elsewhere: undefined,
    since: 1000,
    ...change,
  };
}

class Scene {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly found: string[] = [];
  readonly errors: unknown[] = [];
  atOnce = 0;
  most = 0;
  /** What each look says; the same cause: nothing more. */
  answer: (failed: { readonly host: string; readonly cause: Cause }, signal: AbortSignal) => Promise<Cause> = () =>
    Promise.resolve(sni);

  readonly watch = new CauseWatch({
    clock: this.clock,
    look: {
      look: (suspect, signal) => this.#look(suspect.address, suspect, signal),
      lookName: (host, was, signal) => this.#look('name', { host, cause: was }, signal),
    },
    found: (host, address, { code }) => void this.found.push(`${host} ${address} ${code}`),
    failed: (error) => void this.errors.push(error),
  });

  async #look(what: string, failed: { host: string; cause: Cause }, signal: AbortSignal): Promise<Cause> {
    this.asked.push(what);
    this.most = Math.max(this.most, ++this.atOnce);
    try {
      return await this.answer(failed, signal);
    } finally {
      this.atOnce--;
    }
  }

  /** All looks that can be made now are made. */
  async settled(): Promise<void> {
    for (let before = -1; before !== this.asked.length; ) {
      before = this.asked.length;
      await new Promise(setImmediate);
    }
  }
}

test('an address that fails is looked at once, and again when it still fails an hour later', async () => {
  const scene = new Scene();
  for (let minute = 0; minute < 90; minute++) {
    scene.watch.tell([failing('62.1.1.1')]);
    await scene.settled();
    await scene.clock.advance(60_000);
  }
  assert.deepEqual(scene.asked, ['62.1.1.1', '62.1.1.1']);
  assert.deepEqual(scene.found, ['video.example 62.1.1.1 sni', 'video.example 62.1.1.1 sni']);
});

test('a name without an address is looked at as a name', async () => {
  const scene = new Scene();
  scene.answer = () => Promise.resolve(cause('name', 'no-such-name', '9.9.9.9'));
  scene.watch.tell([failing('', { cause: cause('name', 'nxdomain') })]);
  await scene.settled();
  assert.deepEqual([scene.asked, scene.found], [['name'], ['video.example  no-such-name']]);
});

test('nothing is told where a look found nothing more', async () => {
  const scene = new Scene();
  scene.answer = ({ cause: was }) => Promise.resolve(was);
  scene.watch.tell([failing('62.1.1.1')]);
  await scene.settled();
  assert.deepEqual([scene.asked.length, scene.found], [1, []]);
});

test('much that fails at once is looked at a few at a time, each once, also what is told meanwhile', async () => {
  const scene = new Scene();
  const all = Array.from({ length: 40 }, (_, index) => failing(`62.1.1.${index}`));
  scene.watch.tell(all.slice(0, 30));
  scene.watch.tell(all.slice(20));
  await scene.settled();
  assert.equal(scene.most, 8);
  assert.equal(new Set(scene.asked).size, 40);
  assert.equal(scene.asked.length, 40);
});

test('a look that breaks is told and stops no other', async () => {
  const scene = new Scene();
  const error = new Error('no descriptor');
  scene.answer = ({ host }) => (host === 'video.example' ? Promise.reject(error) : Promise.resolve(sni));
  scene.watch.tell([failing('62.1.1.1'), failing('62.1.1.1', { host: 'news.example' })]);
  await scene.settled();
  assert.deepEqual([scene.errors, scene.found], [[error], ['news.example 62.1.1.1 sni']]);
});

test('closing ends the look that runs, and nothing is told or asked afterwards', async () => {
  const scene = new Scene();
  scene.answer = (_, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  scene.watch.tell(Array.from({ length: 20 }, (_, index) => failing(`62.1.1.${index}`)));
  await scene.settled();
  await scene.watch.close();
  scene.watch.tell([failing('62.9.9.9')]);
  await scene.settled();
  assert.deepEqual([scene.asked.length, scene.found, scene.errors], [8, [], []]);
});
