/** Secret keys of a client: words of the command line, key files, and who else could read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hidesCommandLines, keyWord, looksLikeKey, readKeyFile, repeatedKey } from '../../../src/dyndns/client-keys.ts';
import { keyText, type SigningKey, signingKey } from '../../../src/dyndns/keys.ts';

const seed = '1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=';
const id = 'QlH0RDCxXrI2OvL2OUA4DBeDY79X';

function keysOf(text: string): readonly SigningKey[] {
  const keys = readKeyFile(text);
  if (keys.problem !== undefined) assert.fail(keys.problem);
  return keys.value;
}

test('a word that begins with a slash or a dot is a file, a dash is standard input, all else a key', () => {
  assert.deepEqual(keyWord('/etc/key'), { kind: 'file', path: '/etc/key' });
  assert.deepEqual(keyWord('./key'), { kind: 'file', path: './key' });
  assert.deepEqual(keyWord('.key'), { kind: 'file', path: '.key' });
  assert.deepEqual(keyWord('-'), { kind: 'input' });
  assert.deepEqual(keyWord(seed), { kind: 'key', text: seed });
});

test('a key file has keys between blanks, and notes', () => {
  const other = keyText(new Uint8Array(32).fill(7));
  const keys = keysOf(`# home\n  ${seed}\t${other}\r\n\n# office ${seed}\n`);
  assert.deepEqual(keys.map(({ verify }) => verify.id).slice(0, 1), [id]);
  assert.equal(keys.length, 2);
});

test('what is wrong in a key file comes with its line and without the key', () => {
  for (const [text, problem] of [
    ['', /^there is no key in it$/],
    ['\n# note\n', /^there is no key in it$/],
    [`${seed}\n${seed.slice(0, 40)}\n`, /^line 2: a key of 40 characters/],
    [`${seed.replace('_', '!')}`, /^line 1: a key with characters/],
  ] as const) {
    const { problem: said = 'none' } = readKeyFile(text);
    assert.match(said, problem);
    assert.ok(!said.includes(seed.slice(0, 10)));
  }
});

test('every list of keys that a file holds is read back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(' ', '\n', '\t\n ', '\r\n'),
      (seeds, blank) => {
        const keys = keysOf(seeds.map(keyText).join(blank));
        assert.deepEqual(
          keys.map((key) => keyText(key.seed)),
          seeds.map(keyText),
        );
      },
    ),
    { numRuns: 20 },
  );
});

test('a key that is there twice is told by its id, however it was written', () => {
  const [first, standard] = keysOf(`${seed} ${seed.replace('_', '/').slice(0, 43)}`);
  const other = signingKey(new Uint8Array(32).fill(7));
  assert.ok(first !== undefined && standard !== undefined);
  assert.equal(repeatedKey([first, other, standard]), id);
  assert.equal(repeatedKey([first, other]), undefined);
});

test('a path that looks like a key is known', () => {
  assert.ok(looksLikeKey(`/${seed.slice(1)}`));
  assert.ok(looksLikeKey(seed.slice(0, 43)));
  assert.ok(!looksLikeKey('/etc/netsteward/dyndns.key'));
});

test('/proc hides command lines where its last mount says so', () => {
  const line = (options: string) => `sysfs /sys sysfs rw 0 0\nproc /proc proc ${options} 0 0\n`;
  for (const options of ['rw,hidepid=1', 'rw,hidepid=2,gid=27', 'hidepid=invisible', 'rw,hidepid=ptraceable']) {
    assert.ok(hidesCommandLines(line(options)), options);
  }
  for (const options of ['rw', 'rw,hidepid=0', 'rw,hidepid=off', 'xhidepid=1']) {
    assert.ok(!hidesCommandLines(line(options)), options);
  }
  assert.ok(!hidesCommandLines(line('hidepid=2') + line('rw')));
  assert.ok(!hidesCommandLines(''));
});
