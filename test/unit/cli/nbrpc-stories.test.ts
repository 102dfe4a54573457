/** The rehearsal stories in test/stories: each folder is a script and what it prints. Anyone can add one. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { exitCodeOf, failureText } from '../../../src/cli/failure.ts';
import { registerNbrpc } from '../../../src/cli/nbrpc.ts';

function stories(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'test', 'stories');
}

/**
 * Lines of a script:
 *   list NAME: TOKENS         writes a check list (a name without tokens after the colon: an empty one)
 *   touch NAME SECONDS        gives a list this time of its last change (each `list` makes it one second later than the last)
 *   remove NAME               removes a file
 *   unname NAME               leaves `-f NAME` out from now on; the next `list NAME` names it again
 *   name NAME                 gives `-f NAME` from now on, whether there is such a file or not
 *   folder                    prints the names of all files but the rehearsal's
 *   at SECONDS FLAGS :: ITEMS runs `netsteward nbrpc` at that time with these answers and results
 * `-f` and `-d` are given by themselves: all lists in order of their names, and one state file. A `#` with a blank before it
 * starts a comment.
 */
async function play(script: string, folder: string): Promise<string> {
  let output = '';
  let edits = 0;
  const lists = new Set<string>();
  for (const line of script.split('\n')) {
    const [word = '', ...rest] = line
      .replace(/(^|\s)#.*/, '')
      .trim()
      .split(/\s+/);
    if (word === '') continue;
    output += `$ ${line.trim()}\n`;
    if (word === 'list') {
      const name = (rest.shift() ?? '').replace(':', '');
      const path = join(folder, name);
      await writeFile(path, rest.join('\n'));
      edits += 1;
      await utimes(path, 1_000_000 + edits, 1_000_000 + edits);
      lists.add(name);
    } else if (word === 'touch') {
      const [name = '', seconds] = rest;
      await utimes(join(folder, name), Number(seconds), Number(seconds));
    } else if (word === 'remove') {
      await rm(join(folder, rest[0] ?? ''));
    } else if (word === 'name') {
      lists.add(rest[0] ?? '');
    } else if (word === 'unname') {
      lists.delete(rest[0] ?? '');
    } else if (word === 'folder') {
      const files = (await readdir(folder)).filter((name) => name !== 'replay');
      output += `${files.sort().join(' ')}\n`;
    } else {
      assert.equal(word, 'at', line);
      const split = rest.indexOf('::');
      const [now = '', ...flags] = split < 0 ? rest : rest.slice(0, split);
      const replay = join(folder, 'replay');
      await writeFile(replay, split < 0 ? '' : rest.slice(split + 1).join(' '));
      const files = [...lists].sort().flatMap((name) => ['-f', join(folder, name)]);
      const common = ['-q', '-d', join(folder, 'state.db'), '--replay', replay, '--now', now, '--tz', 'UTC'];
      const program = new Command().exitOverride();
      const clean = (text: string): void => {
        output += text.replaceAll(`${folder}/`, '');
      };
      registerNbrpc(program, { out: clean, error: clean, columns: undefined });
      try {
        await program.parseAsync(['nbrpc', ...files, ...common, ...flags], { from: 'user' });
      } catch (error) {
        // As main.ts ends it.
        clean(failureText(error));
        process.exitCode = exitCodeOf(error);
      }
      if (Number(process.exitCode ?? 0) !== 0) output += `exit code ${process.exitCode}\n`;
      process.exitCode = 0;
    }
  }
  return output;
}

describe('the story', () => {
  const root = stories();
  for (const name of readdirSync(root).sort()) {
    it(`${name} goes as it is told`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'netsteward-story-'));
      try {
        const told = await readFile(join(root, name, 'expected'), 'utf8').catch(() => '');
        const output = await play(await readFile(join(root, name, 'script'), 'utf8'), folder);
        if (process.env.NETSTEWARD_STORIES === 'write') await writeFile(join(root, name, 'expected'), output);
        else assert.equal(output, told);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
