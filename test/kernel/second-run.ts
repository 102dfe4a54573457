/** Runs a test file a second time by a command that puts it somewhere else, and brings back what became of its tests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Where nft and others are, for those who are not root outside. */
export const pathWithSbin = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;

export interface SecondRun {
  /** import.meta.url of the test file. */
  readonly file: string;
  /** Program and arguments; node and the file follow. */
  readonly command: readonly [string, ...string[]];
  /** Environment variables besides this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** For the report: `in the namespace`. */
  readonly where: string;
}

/** Fails with its output where a test of the second run fails or is skipped, and where there is none. */
export async function runAgain(t: TestContext, { file, command, environment, where }: SecondRun): Promise<void> {
  const [program, ...args] = command;
  const node = [process.execPath, '--test-force-exit', '--test-reporter=tap', fileURLToPath(file)];
  const { NODE_TEST_CONTEXT: _, ...own } = process.env;
  const child = spawn(program, [...args, ...node], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...own, PATH: pathWithSbin, ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const limit = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(limit);
  assert.equal(code, 0, `${where}:\n${output.slice(-6000)}`);
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? Number.NaN);
  assert.equal(count('skipped'), 0, output.slice(-3000));
  assert.ok(count('pass') > 0, output.slice(-3000));
  for (const [, said] of output.matchAll(/^# (measured: .*)$/gm)) t.diagnostic(said ?? '');
  t.diagnostic(`${count('pass')} tests passed ${where}`);
}
