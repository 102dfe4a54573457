/** The house rules that no compiler knows: imports point down, time is injected, each file says what it is and stays small. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The source tree: tests run compiled, from a folder somewhere below it. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!(existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'src', 'main.ts')))) {
    const up = dirname(folder);
    assert.notEqual(up, folder, 'no package.json above this test');
    folder = up;
  }
  return folder;
}

/** Path from the project's root, such as `src/core/clock.ts`, and its text. */
interface SourceFile {
  readonly path: string;
  readonly text: string;
}

function sources(): readonly SourceFile[] {
  const root = projectRoot();
  return readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
}

const modules = ['nbrpc', 'cgroup-nft', 'dyndns', 'dnstest'];

/** Layers from the top down; a file may import its own layer and those below. */
const height: Readonly<Record<string, number>> = {
  main: 7,
  cli: 6,
  // The rehearsal internet stands beside the supervisor; nothing but the CLI may use it.
  lab: 5,
  supervisor: 4,
  ...Object.fromEntries(modules.map((name) => [name, 3])),
  linux: 3,
  ports: 2,
  core: 1,
};

function layerOf(path: string): string {
  const [, first = '', second = ''] = path.split('/');
  if (first === 'main.ts') return 'main';
  if (first === 'system') return second === 'linux' ? 'linux' : 'ports';
  return first;
}

/** Code that runs as a process of its own and so makes its adapters itself (nft-agent is a child process). */
const ownProcesses = /^src\/cli\/(compose(-\w+)*|nft-agent(-\w+)*)\.ts$/;

const mayUseLinux = (path: string): boolean =>
  layerOf(path) === 'linux' || layerOf(path) === 'lab' || ownProcesses.test(path);

const imports =
  /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g;

function importViolations({ path, text }: SourceFile): string[] {
  const from = layerOf(path);
  const found: string[] = [];
  for (const [, fixed, dynamic, bare] of text.matchAll(imports)) {
    const specifier = fixed ?? dynamic ?? bare ?? '';
    if (!specifier.startsWith('.')) continue;
    const target = join(dirname(path), specifier);
    const to = layerOf(target);
    const say = (why: string): void => void found.push(`${path} imports ${target}: ${why}`);
    if (!specifier.endsWith('.ts')) say('relative imports end in .ts');
    if (!target.startsWith('src/')) say('outside of src');
    else if (height[from] === undefined || height[to] === undefined) say('no layer of design.md');
    else if (height[to] > height[from]) say('upward');
    else if (modules.includes(from) && modules.includes(to) && from !== to) say('modules never import each other');
    else if (to === 'linux' && !mayUseLinux(path)) say('only compose imports system/linux');
    else if (from === 'linux' && modules.includes(to)) say('adapters know no module');
    else if (to === 'lab' && from !== 'lab' && !/^src\/cli\/lab(-\w+)?\.ts$/.test(path))
      say('only cli/lab imports the lab');
  }
  return found;
}

const clocks =
  /\b(?:setTimeout|setInterval)\s*\(|\bDate\.now\b|\bperformance\.now\b|\bprocess\.(?:hrtime|uptime)\b|\bMath\.random\b|\bnew Date\s*\(\s*\)|\bnew Date\b(?!\s*\()|\bnode:timers\b/;

/** Without comments, and without what stands in quotes. A template's text stays: code can stand inside it. */
function codeOnly(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (match) =>
    /^['"]node:timers/.test(match) ? match : match.replace(/[^\n]/g, ' '),
  );
}

function clockViolations({ path, text }: SourceFile): string[] {
  if (path === 'src/core/clock.ts' || ['linux', 'lab'].includes(layerOf(path))) return [];
  return codeOnly(text)
    .split('\n')
    .flatMap((line, index) => {
      const match = clocks.exec(line);
      return match === null ? [] : [`${path}:${index + 1}: ${match[0]}: time and chance are injected (core/clock.ts)`];
    });
}

const mostLines = 400;

function shapeViolations({ path, text }: SourceFile): string[] {
  const found: string[] = [];
  if (!/^(?:#![^\n]*\n)?\/\*\* \S[^\n]*\S \*\/\n/.test(text))
    found.push(`${path}: does not begin with a /** sentence */`);
  const lines = text.split('\n').length - 1;
  if (lines > mostLines) found.push(`${path}: ${lines} lines, more than ${mostLines}`);
  return found;
}

const violations = (file: SourceFile): string[] => [
  ...importViolations(file),
  ...clockViolations(file),
  ...shapeViolations(file),
];

test('imports point down, time is injected, and each file says what it is and stays small', () => {
  const files = sources();
  assert.ok(files.length > 10 && files.some(({ path }) => path === 'src/core/clock.ts'), 'the sources were not found');
  assert.deepEqual(files.flatMap(violations), []);
});

const made = (path: string, code: string): string[] => violations({ path, text: `/** A made-up file. */\n${code}\n` });

test('a clean made-up file has no violation', () => {
  const code = "import { a } from './clock.ts';\nimport fs from 'node:fs';\nexport const b = new Date(a(fs));";
  assert.deepEqual(made('src/core/x.ts', code), []);
});

test('upward imports are found in each way of writing them', () => {
  const ways = [
    "import { a } from '../supervisor/config.ts';",
    "import type { A } from '../supervisor/config.ts';",
    "import {\n  a,\n  b,\n} from '../supervisor/config.ts';",
    "import '../supervisor/config.ts';",
    "export * from '../supervisor/config.ts';",
    "export const a = await import('../supervisor/config.ts');",
    "type A = import('../supervisor/config.ts').A;",
  ];
  for (const way of ways) assert.match(made('src/nbrpc/x.ts', way).join(), /upward/, way);
});

test('each forbidden direction is found', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['src/core/x.ts', '../system/ports.ts', /upward/],
    ['src/system/ports.ts', '../nbrpc/config.ts', /upward/],
    ['src/supervisor/x.ts', '../cli/run.ts', /upward/],
    ['src/cli/x.ts', '../main.ts', /upward/],
    ['src/nbrpc/x.ts', '../dyndns/config.ts', /modules never import each other/],
    ['src/nbrpc/x.ts', '../system/linux/files.ts', /only compose/],
    ['src/supervisor/x.ts', '../system/linux/files.ts', /only compose/],
    ['src/cli/run.ts', '../system/linux/files.ts', /only compose/],
    ['src/system/linux/x.ts', '../../nbrpc/config.ts', /adapters know no module/],
    ['src/system/linux/x.ts', '../../supervisor/config.ts', /upward/],
    ['src/cli/run.ts', '../lab/lab.ts', /only cli\/lab/],
    ['src/core/x.ts', '../../test/fakes/fake-clock.ts', /outside of src/],
    ['src/core/x.ts', './clock.js', /end in \.ts/],
    ['src/stray/x.ts', '../core/clock.ts', /no layer/],
  ];
  for (const [path, specifier, why] of cases) {
    assert.match(made(path, `import { a } from '${specifier}';`).join(), why, `${path} → ${specifier}`);
  }
});

test('the allowed ways to system/linux stay open', () => {
  for (const path of ['src/cli/compose.ts', 'src/cli/nft-agent.ts', 'src/lab/x.ts']) {
    const specifier = `${path.startsWith('src/lab') ? '..' : '..'}/system/linux/files.ts`;
    assert.deepEqual(made(path, `import { a } from '${specifier}';`), [], path);
  }
});

test('clocks and chance are found in code, but not in comments and texts', () => {
  const forbidden = [
    'setTimeout(go, 1);',
    'setInterval (go, 1);',
    'const t = Date.now();',
    'const now = Date.now;',
    'const t = performance.now();',
    'const t = process.hrtime.bigint();',
    'const r = Math.random();',
    'const d = new Date();',
    'const d = new Date;',
    "import { setTimeout as wait } from 'node:timers/promises';",
  ];
  for (const code of forbidden) {
    assert.match(made('src/nbrpc/x.ts', code).join(), /x\.ts:2: .*injected/, code);
    assert.deepEqual(made('src/system/linux/x.ts', code), [], code);
  }
  const allowed = ['// setTimeout(go)', "const text = 'Date.now()';", '/* Math.random() */', 'const d = new Date(0);'];
  for (const code of allowed) assert.deepEqual(made('src/nbrpc/x.ts', code), [], code);
});

test('a file without a first sentence, and one that is too long, are found', () => {
  assert.match(violations({ path: 'src/core/x.ts', text: 'export const a = 1;\n' }).join(), /does not begin/);
  assert.match(violations({ path: 'src/core/x.ts', text: '/** */\nexport const a = 1;\n' }).join(), /does not begin/);
  assert.deepEqual(violations({ path: 'src/main.ts', text: '#!/usr/bin/env node\n/** What it is. */\n' }), []);
  assert.match(made('src/core/x.ts', 'const a = 1;\n'.repeat(400)).join(), /40\d lines, more than 400/);
});
