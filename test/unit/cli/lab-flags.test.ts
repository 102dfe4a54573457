/** Flags of `netsteward lab`, as shell completion sees them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CommandShape, commandShape } from '../../../src/cli/command-shape.ts';
import { buildProgram } from '../../../src/cli/program.ts';

test('the path of a URL is no path of a file, so no files are offered for it', () => {
  const inner = (shape: CommandShape | undefined, name: string) => shape?.commands.find((each) => each.name === name);
  const curl = inner(inner(commandShape(buildProgram()), 'lab'), 'curl');
  const kinds = curl?.options.flatMap(({ flags, value }) => flags.map((flag) => [flag, value] as const));
  const known = new Map(kinds);
  assert.deepEqual([known.get('--path'), known.get('--state')], ['text', 'file']);
});
