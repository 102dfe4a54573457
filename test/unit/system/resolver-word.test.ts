/** The word on resolvers: what it means for who asks which servers, and that other threads hear it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BroadcastChannel, Worker } from 'node:worker_threads';
import { BroadcastHearer } from '../../../src/system/linux/resolver-word-hearer.ts';
import { BroadcastSpeaker } from '../../../src/system/linux/resolver-word-speaker.ts';
import { believable, type ResolverWord } from '../../../src/system/resolver-word.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

const word = (address: string | undefined, right: boolean | undefined): ResolverWord => ({ address, right });

test('names can be believed when one of the servers that are asked answers right, and not when all of them fail', () => {
  const words = [
    word('192.0.2.1', false),
    word('192.0.2.2', true),
    word('192.0.2.3', false),
    word('192.0.2.4', undefined),
  ];
  assert.equal(believable(words, undefined), true);
  assert.equal(believable(words, ['192.0.2.1', '192.0.2.2']), true);
  assert.equal(believable(words, ['192.0.2.1', '192.0.2.3']), false);
  assert.equal(believable(words, ['192.0.2.1', '192.0.2.4']), undefined);
  assert.equal(believable(words, ['192.0.2.9']), undefined);
  assert.equal(believable([word(undefined, false)], undefined), false);
  assert.equal(believable([word(undefined, false)], ['192.0.2.1']), undefined);
  assert.equal(believable([], undefined), undefined);
});

/** Resolves with what the hearer has as soon as it is so many words. */
async function heard(hearer: BroadcastHearer, count: number): Promise<readonly ResolverWord[]> {
  while (hearer.words().length !== count) await new Promise((resolve) => setTimeout(resolve, 5));
  return hearer.words();
}

test('another thread hears what one says, and forgets it when it is not said again; what is no word is not heard', async () => {
  const clock = new FakeClock();
  const hearer = new BroadcastHearer(clock);
  assert.deepEqual(hearer.words(), []);
  const speaker = new URL('../../../src/system/linux/resolver-word-speaker.js', import.meta.url).href;
  const code = `import(${JSON.stringify(speaker)}).then(({ BroadcastSpeaker }) =>
    new BroadcastSpeaker().say([{ address: '192.0.2.1', right: false }, { address: undefined, right: undefined }], 1000));`;
  const worker = new Worker(code, { eval: true });
  assert.deepEqual(await heard(hearer, 2), [word('192.0.2.1', false), word(undefined, undefined)]);
  await clock.advance(999);
  assert.equal(hearer.words().length, 2);
  await clock.advance(1);
  assert.deepEqual(hearer.words(), []);
  await worker.terminate();
  const here = new BroadcastSpeaker();
  here.say([word('::1', true)], 1000);
  assert.deepEqual(await heard(hearer, 1), [word('::1', true)]);
  const odd = new BroadcastChannel('netsteward-resolvers');
  odd.postMessage({ words: 'nonsense' });
  // In order: what comes after the nonsense is heard, and the nonsense was not in between.
  odd.postMessage({ words: [{}, {}, {}], holds: 1000 });
  assert.equal((await heard(hearer, 3)).length, 3);
  odd.close();
});
