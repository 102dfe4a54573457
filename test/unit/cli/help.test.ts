/** Help on every level: `--help`, `help NAME`, and what an unknown name is answered with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type CommandShape, commandShape } from '../../../src/cli/command-shape.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { mainJs } from '../../checkout.ts';

function netsteward(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mainJs, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function* everyCommand(command: CommandShape, path: string[] = []): Generator<[string[], CommandShape]> {
  yield [path, command];
  for (const inner of command.commands) yield* everyCommand(inner, [...path, inner.name]);
}

const all = [...everyCommand(commandShape(buildProgram()))];

test('every command and every subcommand explains itself and each of its options, with exit code 0', () => {
  assert.ok(all.length > 15, `only ${all.length} commands`);
  for (const [path, command] of all) {
    const { status, stdout, stderr } = netsteward(...path, '--help');
    assert.deepEqual([status, stderr], [0, ''], path.join(' '));
    assert.ok(stdout.startsWith(`Usage: ${['netsteward', ...path].join(' ')} `), stdout);
    for (const flag of command.options.flatMap((option) => option.flags)) {
      assert.match(stdout, new RegExp(`^ {2}(?:-\\w, )?${flag}[ ,]`, 'm'), `${path.join(' ')} ${flag}`);
    }
    assert.notEqual(command.description, '', path.join(' '));
    for (const option of command.options) assert.notEqual(option.description, '', `${path.join(' ')} ${option.flags}`);
  }
});

test('help NAME is the same as NAME --help, on every level', () => {
  for (const path of [[], ['check'], ['lab'], ['lab', 'censor']]) {
    assert.deepEqual(netsteward('help', ...path), netsteward(...path, '--help'), path.join(' '));
  }
  assert.deepEqual(netsteward('lab', 'help', 'censor'), netsteward('lab', 'censor', '--help'));
  assert.deepEqual(netsteward('lab', 'help'), netsteward('lab', '--help'));
});

test('an unknown name is exit code 64 and a suggestion, also after help and on inner levels', () => {
  for (const [args, message] of [
    [['chekc'], "error: unknown command 'chekc'\n(Did you mean check?)\n(see --help)\n"],
    [['help', 'chekc'], "error: unknown command 'chekc'\n(Did you mean check?)\n(see --help)\n"],
    [['lab', 'cesnor'], "error: unknown command 'cesnor'\n(Did you mean censor?)\n(see --help)\n"],
    [['help', 'lab', 'cesnor'], "error: unknown command 'cesnor'\n(Did you mean censor?)\n(see --help)\n"],
    [['lab', 'help', 'cesnor'], "error: unknown command 'cesnor'\n(Did you mean censor?)\n(see --help)\n"],
    [['help', 'check', 'x'], 'error: check has no commands\n(see --help)\n'],
    [['check', '--hots'], "error: unknown option '--hots'\n(Did you mean --host?)\n(see --help)\n"],
    [['\x1b[31m'], "error: unknown command '\\x1b[31m'\n(see --help)\n"],
  ] as const) {
    assert.deepEqual(netsteward(...args), { status: 64, stdout: '', stderr: message }, args.join(' '));
  }
});
