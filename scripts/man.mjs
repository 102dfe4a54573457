/**
 * `node scripts/man.mjs --out FOLDER [--build FOLDER]`: man pages from what `--help` says, netsteward(1) and one for each command,
 * and netsteward.toml(5) from docs/config.md. Node built-ins only.
 */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Text in which groff changes nothing: groff_char(7), groff(7) "Escapes". */
export function escaped(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^([.'])/gm, '\\&$1');
}

/** In bold, whatever it begins with. */
const bold = (text) => `\\fB${escaped(text)}\\fR`;

/** `--config <file>` with its value in italics. */
function term(flags) {
  return flags
    .split(/(<[^>]*>|\[[^\]]*\])/)
    .map((part) => (/^[<[]/.test(part) ? `\\fI${escaped(part)}\\fR` : part === '' ? '' : bold(part)))
    .join('');
}

function page({ name, section, summary, version, date, body }) {
  return [
    '\'\\" -*- coding: utf-8 -*-',
    `.TH ${name.toUpperCase()} ${section} ${date} "netsteward ${version}" netsteward`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(summary)}`,
    ...body,
    '',
  ].join('\n');
}

/** What `addHelpText('after')` adds: it is in the output of --help alone. */
function afterText(command) {
  let all = '';
  const { writeOut } = command.configureOutput();
  command.configureOutput({
    writeOut: (text) => {
      all += text;
    },
  });
  const main = command.helpInformation();
  command.outputHelp();
  command.configureOutput({ writeOut });
  return all.startsWith(main) ? all.slice(main.length) : '';
}

/** Paragraphs of that text; what is indented, and a block that begins with "Examples:", stay as they are. */
function freeText(text, heading) {
  const lines = [];
  for (const block of text.split(/\n\s*\n/).map((each) => each.replace(/^\n+|\s+$/g, ''))) {
    if (block === '') continue;
    const rows = block.split('\n');
    const [, title, rest] = /^(Examples?|A first look|Exit codes|Signals)(?:, [^:]*)?:\s*(.*)$/.exec(rows[0]) ?? [];
    if (title !== undefined) {
      lines.push(`${heading} ${(title === 'Exit codes' ? 'Exit status' : title).toUpperCase()}`);
      rows.splice(0, 1, ...(rest === '' ? [] : [title === rows[0].split(':')[0] ? rest : rows[0]]));
    } else lines.push('.PP');
    for (const [index, row] of rows.entries()) {
      const indented = /^\s/.test(row);
      if (indented && !/^\s/.test(rows[index - 1] ?? '')) lines.push('.PP', '.nf', '.RS 2');
      lines.push(escaped(indented ? row.slice(2) : row));
      if (indented && !/^\s/.test(rows[index + 1] ?? '')) lines.push('.RE', '.fi');
    }
  }
  return lines;
}

function commandBody(command, path, heading) {
  const help = command.createHelp();
  // "Usage" has the names of the parents where commander knows them.
  const usage = `${path.join(' ')} ${command.usage()}`;
  const lines = [`${heading} SYNOPSIS`, term(usage), `${heading} DESCRIPTION`, escaped(command.description())];
  const words = help.visibleArguments(command);
  const options = help.visibleOptions(command);
  if (words.length > 0) lines.push(`${heading} ARGUMENTS`);
  for (const word of words) {
    lines.push('.TP', `\\fI${escaped(help.argumentTerm(word))}\\fR`, escaped(help.argumentDescription(word)));
  }
  if (options.length > 0) lines.push(`${heading} OPTIONS`);
  for (const option of options) {
    lines.push('.TP', term(option.flags), escaped(help.optionDescription(option)));
  }
  return [...lines, ...freeText(afterText(command), heading)];
}

const described = (command) => (command.summary() || command.description().split(/\.(?:\s|$)/)[0]).trim();

/** Every command but `help` and what is hidden. */
const innerOf = (command) =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== 'help');

/** File name → roff, of the whole command tree. */
export function commandPages(program, facts) {
  const names = innerOf(program).map((command) => `netsteward\\-${escaped(command.name())}`);
  const pages = {
    'netsteward.1': page({
      ...facts,
      name: 'netsteward',
      section: 1,
      summary: "keeps a Linux machine's network policy true",
      body: [
        ...commandBody(program, ['netsteward'], '.SH'),
        '.SH COMMANDS',
        ...innerOf(program).flatMap((inner) => ['.TP', bold(inner.name()), escaped(described(inner))]),
        '.SH FILES',
        '.TP',
        bold('/etc/netsteward/netsteward.toml'),
        'The configuration, see \\fBnetsteward.toml\\fR(5).',
        '.TP',
        bold('/var/lib/netsteward'),
        'What it knows, kept over restarts.',
        '.SH SEE ALSO',
        `${names.map((name) => `\\fB${name}\\fR(1)`).join(', ')}, \\fBnetsteward.toml\\fR(5), \\fBnft\\fR(8)`,
      ],
    }),
  };
  for (const command of innerOf(program)) {
    const name = `netsteward-${command.name()}`;
    const inner = innerOf(command);
    pages[`${name}.1`] = page({
      ...facts,
      name,
      section: 1,
      summary: described(command),
      body: [
        ...commandBody(command, ['netsteward', command.name()], '.SH'),
        ...inner.flatMap((each) => [
          `.SH ${escaped(`netsteward ${command.name()} ${each.name()}`).toUpperCase()}`,
          ...commandBody(each, ['netsteward', command.name(), each.name()], '.SS'),
        ]),
        '.SH SEE ALSO',
        '\\fBnetsteward\\fR(1), \\fBnetsteward.toml\\fR(5)',
      ],
    });
  }
  return pages;
}

/** Markdown within a line: code in bold, links as their text. */
function inline(text) {
  return text
    .replace(/\[((?:`[^`]*`|[^\]])*)\]\([^)]*\)/g, '$1')
    .split(/(`[^`]+`)/)
    .map((part) => (part.startsWith('`') && part.length > 2 ? bold(part.slice(1, -1)) : escaped(part)))
    .join('');
}

/** The cells of a row; `\|` is no border. */
const cells = (row) =>
  row
    .replace(/^\||\|\s*$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));

/** docs/config.md's Markdown: headings, paragraphs, code, tables of keys, lists. */
export function configBody(markdown) {
  const out = [];
  let code = false;
  let paragraph = false;
  let header = [];
  for (const row of markdown.split('\n')) {
    if (row.startsWith('```')) {
      out.push(...(code ? ['.RE', '.fi'] : ['.PP', '.nf', '.RS 4']));
      code = !code;
      paragraph = false;
    } else if (code) out.push(escaped(row));
    else if (row.startsWith('# ')) continue;
    else if (row.startsWith('#')) {
      out.push(
        `${row.startsWith('## ') ? '.SH' : '.SS'} "${inline(row.replace(/^#+ /, '')).replaceAll('"', '\\(dq')}"`,
      );
      paragraph = false;
    } else if (/^\|[-|: ]+\|?\s*$/.test(row)) continue;
    else if (row.startsWith('|')) {
      if (header.length === 0) header = cells(row);
      else {
        const [key = '', ...rest] = cells(row);
        const told = rest.map((text, index) => {
          const name = header[index + 1];
          if (text === '' || (name === 'default' && text === '—')) return '';
          return name === 'default'
            ? text === 'required'
              ? '(required)'
              : `(default: ${inline(text)})`
            : inline(text);
        });
        out.push('.TP', inline(key), told.filter((text) => text !== '').join('; ') || '\\&');
      }
    } else if (row.trim() === '') paragraph = false;
    else if (/^[-*] /.test(row)) {
      out.push('.IP \\(bu 2', inline(row.slice(2)));
      paragraph = true;
    } else {
      if (!paragraph) out.push('.PP');
      out.push(inline(row.trim()));
      paragraph = true;
    }
    if (!row.startsWith('|')) header = [];
  }
  return out;
}

/** File name → roff; `build` is the folder with src/cli/program.js. */
export async function manPages(build, { version, date }) {
  const { buildProgram } = await import(pathToFileURL(join(build, 'src', 'cli', 'program.js')).href);
  const facts = { version, date };
  const config = readFileSync(join(root, 'docs', 'config.md'), 'utf8');
  return {
    ...commandPages(buildProgram(), facts),
    'netsteward.toml.5': page({
      ...facts,
      name: 'netsteward.toml',
      section: 5,
      summary: 'configuration of netsteward',
      body: ['.SH DESCRIPTION', ...configBody(config), '.SH SEE ALSO', '\\fBnetsteward\\fR(1), \\fBnft\\fR(8)'],
    }),
  };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { out: { type: 'string' }, build: { type: 'string', default: join(root, 'dist') } },
  });
  if (values.out === undefined) {
    process.stderr.write('usage: node scripts/man.mjs --out FOLDER [--build FOLDER]\n');
    process.exit(64);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  mkdirSync(values.out, { recursive: true });
  const date = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? Date.now() / 1000) * 1000).toISOString().slice(0, 10);
  for (const [name, text] of Object.entries(await manPages(resolve(values.build), { version, date }))) {
    writeFileSync(join(values.out, name), text);
  }
}
