/** Shell completion: made from the command tree, tried in a real bash, and in zsh and fish where they are installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CommandShape, commandShape } from '../../../src/cli/command-shape.ts';
import { completionScript, type Shell } from '../../../src/cli/completion-script.ts';
import { buildProgram } from '../../../src/cli/program.ts';

const shape = commandShape(buildProgram());
const folder = mkdtempSync(join(tmpdir(), 'netsteward-completion-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'netsteward.toml'), '');
writeFileSync(join(folder, 'two words.toml'), '');

/** Lines that a shell prints for a script on its standard input, or as an argument. */
function linesOf(shell: Shell, args: readonly string[], input?: string): string[] {
  const { status, stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: 'utf8', input, timeout: 60_000 });
  assert.deepEqual([status, stderr], [0, ''], `${shell}: ${stdout}`);
  return stdout.split('\n').filter((line) => line !== '');
}

const installed = (shell: Shell): boolean => spawnSync(shell, ['-c', 'exit']).status === 0;

type Offers = (script: string, words: readonly string[]) => string[];

const bashOffers: Offers = (script, words) =>
  // Outside of readline compopt cannot work.
  linesOf('bash', [
    '--norc',
    '-c',
    `compopt() { :; }\n${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _netsteward; printf '%s\\n' "\${COMPREPLY[@]}"`,
    'bash',
    ...words,
  ]);

/** The functions of zsh's completion system, saying what they are asked to offer that begins like the word. */
const zshStubs = `compdef() { : }
_describe() { local -a all=("\${(@P)2}"); local each; for each in "\${all[@]}"; do each=\${each%%:*}; [[ $each == "$words[CURRENT]"* ]] && print -r -- $each; done; true }
compadd() { shift; print -rl -- "\${(@M)@:#$words[CURRENT]*}" }
_files() { print -rl -- "$words[CURRENT]"*(N) }
`;
const zshOffers: Offers = (script, words) =>
  linesOf('zsh', ['-f', '-c', `${zshStubs}${script}\nwords=("$@"); CURRENT=$#; _netsteward`, 'zsh', ...words]);

const fishOffers: Offers = (script, words) => {
  const ask = `${script}\ncomplete -C (string join ' ' -- (string escape -- $argv[1..-2]) $argv[-1])`;
  // Each line is a word, a tab, and its description.
  return linesOf('fish', ['--no-config', '-c', ask, ...words]).map((line) => line.split('\t')[0] ?? '');
};

const real: Readonly<Record<Shell, Offers>> = { bash: bashOffers, zsh: zshOffers, fish: fishOffers };

function* everyLevel(command: CommandShape, path: string[] = []): Generator<[string[], CommandShape]> {
  yield [path, command];
  for (const inner of command.commands) yield* everyLevel(inner, [...path, inner.name]);
}

/** Cases that are alike in every shell: the words of a line, and what is offered for the last one. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['ch', ['check']],
  ['st', ['status']],
  ['lab c', ['censor', 'curl']],
  ['lab censor some.example s', ['sni', 'sni-drop', 'stall']],
  ['lab curl --path /x --host r', ['router']],
  ['lab exec w', ['world']],
  ['check --ho', ['--host']],
  ['run -c x.toml --s', ['--set']],
  ['run -c net', ['netsteward.toml']],
  ['completion ', ['bash', 'fish', 'zsh']],
  ['help rel', ['reload']],
  ['lab help do', ['down']],
  ['nonsense x', []],
  ['nbrpc -n ', []],
];

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  const script = completionScript(shell, shape);
  if (installed(shell)) {
    test(`${shell} itself offers what fits the place on the line`, () => {
      for (const [line, expected] of cases) {
        const offered = real[shell](script, ['netsteward', ...line.split(' ')]);
        assert.deepEqual([...new Set(offered)].sort(), expected, line);
      }
    });

    test(`${shell} offers every command of every level, and every option after a dash`, () => {
      let levels = 0;
      for (const [path, command] of everyLevel(shape)) {
        levels += 1;
        const offered = (word: string): readonly string[] => real[shell](script, ['netsteward', ...path, word]);
        const options = offered('-');
        for (const flag of command.options.flatMap((option) => option.flags)) {
          assert.ok(options.includes(flag), `${path.join(' ')} ${flag}`);
        }
        const commands = command.commands.map((inner) => inner.name).sort();
        if (commands.length > 0) assert.deepEqual([...offered('')].sort(), commands, path.join(' '));
      }
      assert.ok(levels > 15, `only ${levels} levels`);
    });
  }
}

test('in an interactive bash a TAB completes commands, subcommands, options, kinds and files', () => {
  const rc = join(folder, 'rc');
  writeFileSync(join(folder, 'script'), completionScript('bash', shape));
  writeFileSync(
    rc,
    `PS1=''; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'
netsteward() { printf '<%s>' "$@"; echo; }; source ./script\n`,
  );
  const typed = [
    'netsteward ch\t',
    'netsteward lab dow\t',
    'netsteward check --ho\t',
    'netsteward run --config=nets\t',
    'netsteward run -c two\t',
    'netsteward lab censor x.example hij\t',
  ];
  // Run by util-linux's script(1): readline completes on terminals only.
  const { status, stdout } = spawnSync('script', ['-qec', `bash --noprofile --rcfile ${rc} -i`, '/dev/null'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, TERM: 'dumb' },
    input: `${typed.join('\n')}\nexit\n`,
    timeout: 60_000,
  });
  assert.equal(status, 0);
  assert.deepEqual(stdout.match(/^<.*>(?=\r?$)/gm), [
    '<check>',
    '<lab><down>',
    '<check><--host>',
    '<run><--config=netsteward.toml>',
    '<run><-c><two words.toml>',
    '<lab><censor><x.example><hijack>',
  ]);
});

test('bash completes the value after an equals sign, which it parts into words of its own', () => {
  const script = completionScript('bash', shape);
  assert.deepEqual(bashOffers(script, ['netsteward', 'lab', 'curl', '--host', '=']).sort(), [
    'exit',
    'exit2',
    'isp',
    'lan',
    'router',
    'world',
  ]);
  assert.deepEqual(bashOffers(script, ['netsteward', 'lab', 'curl', '--host', '=', 'l']), ['lan']);
  assert.deepEqual(bashOffers(script, ['netsteward', 'run', '--config', '=', 'n', '--se']), ['--set']);
});

const evil = 'it\'s $(touch /tmp/x) `y` \\ "z": a';
const evilTree: CommandShape = {
  name: 'netsteward',
  description: evil,
  arguments: [],
  options: [{ flags: ['--one'], description: evil, value: 'text', choices: ["a'b", 'c', 'd$(touch x)'] }],
  commands: [{ name: 'two', description: evil, options: [], arguments: [], commands: [] }],
};

test('texts of the command tree cannot leave their quotes', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell, evilTree);
    if (!installed(shell)) continue;
    assert.deepEqual(real[shell](script, ['netsteward', 't']), ['two'], shell);
    assert.deepEqual(real[shell](script, ['netsteward', '--one', 'c']), ['c'], shell);
    assert.deepEqual(real[shell](script, ['netsteward', '--one', 'd']), ['d$(touch x)'], shell);
    assert.ok(!existsSync(join(folder, 'x')), shell);
  }
  assert.ok(completionScript('zsh', evilTree).includes("'two:it'\\''s $(touch /tmp/x) `y` \\ \"z\": a'"));
  assert.ok(completionScript('fish', evilTree).includes("-d 'it\\'s $(touch /tmp/x) `y` \\\\ \"z\": a'"));
});

/** zsh's grammar of blocks, lists and quotes is bash's, so bash can tell whether these are whole. */
const zshIsWhole = (script: string): boolean => spawnSync('bash', ['-n'], { input: script }).status === 0;

/** Every block of fish has its end, and every quote its other one. */
function fishIsWhole(script: string): boolean {
  let depth = 0;
  for (const line of script.split('\n')) {
    if (/^\s*#/.test(line)) continue;
    const bare = line.replace(/'(?:[^'\\]|\\.)*'|"[^"]*"/g, '');
    if (/['"]/.test(bare)) return false;
    if (/^\s*(?:function|for|if|switch|while|begin)\b/.test(bare)) depth += 1;
    if (/^\s*end\s*$/.test(bare)) depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

test('the scripts for zsh and fish are whole, and name every command at its level', () => {
  for (const [shell, isWhole, lastBlock] of [
    ['zsh', zshIsWhole, /\n +esac\n(?![\s\S]*esac)/],
    ['fish', fishIsWhole, /\nend\n(?![\s\S]*\nend\n)/],
  ] as const) {
    const script = completionScript(shell, shape);
    assert.ok(isWhole(script), shell);
    assert.ok(isWhole(completionScript(shell, evilTree)), shell);
    assert.ok(!isWhole(script.replace(lastBlock, '\n')), `${shell}: a missing end is noticed`);
    assert.ok(!isWhole(script.replace(/'(?=[^']*\n)/, '')), `${shell}: a missing quote is noticed`);
    for (const [path] of everyLevel(shape)) {
      if (path.length > 0) {
        const step = `'${path.slice(0, -1).join(' ')}/${path.at(-1)}'`;
        assert.ok(script.includes(step), `${shell}: ${step}`);
      }
    }
  }
});
