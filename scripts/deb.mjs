/**
 * `npm run deb`: builds .state/deb/netsteward_VERSION-1_ARCH.deb, for Debian 13 and what is newer. Node built-ins, npm and dpkg-deb.
 * `--build FOLDER` (dist) has the compiled program, `--out FOLDER` gets the package, `--version V` is instead of package.json's.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { manPages } from './man.mjs';
import { root } from './setup.mjs';

const { values: options } = parseArgs({
  options: {
    build: { type: 'string', default: join(root, 'dist') },
    out: { type: 'string', default: join(root, '.state', 'deb') },
    version: { type: 'string' },
  },
});
const build = resolve(options.build);
const out = resolve(options.out);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const version = options.version ?? manifest.version;
/** The same sources give the same package: times are those of the last commit (reproducible-builds.org, SOURCE_DATE_EPOCH). */
const epoch = Number(
  process.env.SOURCE_DATE_EPOCH ?? (text('git', ['log', '-1', '--format=%ct']) || Date.now() / 1000),
);
const maintainer =
  process.env.DEBEMAIL === undefined
    ? text('git', ['log', '-1', '--format=%an <%ae>']) || 'netsteward <netsteward@example.org>'
    : `${process.env.DEBFULLNAME ?? 'netsteward'} <${process.env.DEBEMAIL}>`;

function fail(message) {
  process.stderr.write(`netsteward: ${message}\n`);
  process.exit(1);
}

/** What a program prints, trimmed; nothing where it fails. */
function text(command, args, cwd = root) {
  const { status, stdout } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
}

function must(command, args, settings = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...settings });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? error?.message}`);
  return stdout;
}

const architecture = text('dpkg', ['--print-architecture']);
if (architecture === '') fail('dpkg-deb is needed to build a Debian package: this is no Debian');

/** The packages of the lockfile that run needs, installed once per lockfile; no package runs code at install. */
function modules() {
  const files = ['package.json', 'package-lock.json'];
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256')
    .update(lock)
    .update(JSON.stringify(manifest.dependencies))
    .digest('hex')
    .slice(0, 16);
  const folder = join(root, '.state', 'deb', `modules-${hash}`);
  if (existsSync(folder)) return join(folder, 'node_modules');
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.new.`);
  for (const file of files) cpSync(join(root, file), join(fresh, file));
  must(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: fresh },
  );
  try {
    renameSync(fresh, folder);
  } catch {
    // Another one was quicker.
    rmSync(fresh, { recursive: true });
  }
  return join(folder, 'node_modules');
}

/** Sources of native code and binaries of other machines: three quarters of node_modules. */
const native = `linux-${process.arch}`;
const leftOut = [
  /^\.bin$|^\.package-lock\.json$/,
  /^@photostructure\/sqlite\/(src|scripts|binding\.gyp)$/,
  new RegExp(`^@photostructure/sqlite/prebuilds/(?!${native}$)[^/]+$`),
  /^@photostructure\/sqlite\/prebuilds\/[^/]+\/.*\.musl\.node$/,
  /^koffi\/(vendor|doc|cnoke\.cjs|lib|src\/koffi\/CMakeLists\.txt)$/,
  /^koffi\/src\/.*\.(cc|hh|c|h|inc|S|asm)$/,
  /^@koromix\/koffi-[^/]+\/musl_[^/]+$/,
  // valibot's types, what only a build of native code would need, and what the status page has a copy of in dist/web.
  /^(@typescript|typescript|node-addon-api|uplot)$/,
  // What only editors, other tools and the packages' own developers read.
  /\.([mc]?ts|map|markdown|html|sh)$|\/(\.[^/]+|(?!LICEN[SC]E)[^/]+\.md)$/i,
  /^(@[^/]+\/)?[^/]+\/(test|tests|docs|examples|benchmarks?)$/i,
];

function copyModules(to) {
  const from = modules();
  cpSync(from, to, {
    recursive: true,
    filter: (path) => !leftOut.some((pattern) => pattern.test(relative(from, path))),
  });
}

// Nothing else has made it in a fresh clone.
mkdirSync(join(root, '.state'), { recursive: true });
const stage = mkdtempSync(join(root, '.state', 'deb-stage-'));
process.on('exit', () => rmSync(stage, { recursive: true, force: true }));

function put(path, content, mode = 0o644) {
  const target = join(stage, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content, { mode });
  chmodSync(target, mode);
}

const gzipped = (content) => gzipSync(content, { level: 9 });

const program = 'usr/lib/netsteward';

function putProgram() {
  const compiled = join(build, 'src');
  if (!existsSync(join(compiled, 'main.js'))) fail(`${compiled}/main.js is missing: run npm run build first`);
  for (const file of readdirSync(compiled, { recursive: true })) {
    // A file whose source is gone is a left-over of an earlier build.
    if (file.endsWith('.js') && existsSync(join(root, 'src', file.replace(/\.js$/, '.ts')))) {
      put(`${program}/dist/src/${file}`, readFileSync(join(compiled, file)));
    }
  }
  const web = join(build, 'web');
  if (existsSync(web)) cpSync(web, join(stage, program, 'dist', 'web'), { recursive: true });
  // Debian policy 10.4: the interpreter of the package that this one depends on, not what PATH has.
  const main = readFileSync(join(compiled, 'main.js'), 'utf8').replace(/^#!.*\n/, '#!/usr/bin/node\n');
  put(`${program}/dist/src/main.js`, main, 0o755);
  put(
    `${program}/package.json`,
    `${JSON.stringify({ name: manifest.name, version, type: manifest.type, private: true })}\n`,
  );
  copyModules(join(stage, program, 'node_modules'));
  // What has been left out must not be missed: the native parts load where they will be.
  const native = ['koffi', '@photostructure/sqlite'].map((name) => `require('${name}')`).join(';');
  must(process.execPath, ['--eval', native], { cwd: join(stage, program) });
  const protocol = readFileSync(join(compiled, 'system', 'linux', 'nft-agent-protocol.js'));
  put(`${program}/agent-protocol`, `${createHash('sha256').update(protocol).digest('hex')}\n`);
  mkdirSync(join(stage, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/netsteward/dist/src/main.js', join(stage, 'usr/bin/netsteward'));
}

const packaging = join(root, 'packaging');
const isUnit = (name) => /\.(service|socket|timer|path|target)$/.test(name);

/**
 * Everything in packaging/ goes where its name says; the rest are examples. So are polkit's rules: a right to restart units is
 * given by the administrator, who has `netsteward dnstest polkit` print the rule for their own, and not by an installation.
 */
function putPackaging() {
  for (const name of readdirSync(packaging)) {
    const content = readFileSync(join(packaging, name));
    if (isUnit(name)) put(`usr/lib/systemd/system/${name}`, content);
    else if (name.endsWith('.sysusers.conf')) put(`usr/lib/sysusers.d/${name.replace('.sysusers', '')}`, content);
    else if (name.endsWith('.tmpfiles.conf')) put(`usr/lib/tmpfiles.d/${name.replace('.tmpfiles', '')}`, content);
    else put(`usr/share/doc/netsteward/examples/${name}`, content);
  }
  for (const name of ['netsteward.example.toml', 'nftables.example.conf', 'docs/dyndns-client.sh']) {
    put(`usr/share/doc/netsteward/examples/${name.replace(/^.*\//, '')}`, readFileSync(join(root, name)));
  }
  mkdirSync(join(stage, 'etc/netsteward'), { recursive: true });
}

/** The licence of each package inside, word for word. */
function copyright() {
  const parts = [
    'netsteward',
    '==========',
    '',
    readFileSync(join(root, 'LICENSE'), 'utf8'),
    `The packages in /${program}/node_modules have licences of their own:`,
    '',
  ];
  const folder = join(stage, program, 'node_modules');
  for (const file of readdirSync(folder, { recursive: true }).sort()) {
    if (!/(^|\/)LICEN[SC]E(\.[a-z]+)?$/i.test(file)) continue;
    const licence = readFileSync(join(folder, file), 'utf8');
    parts.push(dirname(file), '-'.repeat(dirname(file).length), '');
    // Debian policy 12.5: that one is on every Debian.
    if (/Apache License\s+Version 2\.0/.test(licence)) {
      const { author } = JSON.parse(readFileSync(join(folder, dirname(file), 'package.json'), 'utf8'));
      parts.push(`${author?.name ?? author}: /usr/share/common-licenses/Apache-2.0\n`);
    } else parts.push(licence);
    rmSync(join(folder, file));
  }
  return `${parts.join('\n').replaceAll('\r', '')}\n`;
}

async function putDocs() {
  const date = new Date(epoch * 1000);
  for (const [name, page] of Object.entries(
    await manPages(build, { version, date: date.toISOString().slice(0, 10) }),
  )) {
    put(`usr/share/man/man${name.at(-1)}/${name}.gz`, gzipped(page));
  }
  const doc = 'usr/share/doc/netsteward';
  put(`${doc}/copyright`, copyright());
  put(`${doc}/changelog.gz`, gzipped(readFileSync(join(root, 'CHANGELOG.md'))));
  const stamp = date.toUTCString().replace('GMT', '+0000');
  const entry = `netsteward (${version}-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${maintainer}  ${stamp}\n`;
  put(`${doc}/changelog.Debian.gz`, gzipped(entry));
  put(`${doc}/README.md.gz`, gzipped(readFileSync(join(root, 'README.md'))));
  for (const name of readdirSync(join(root, 'docs')).filter((each) => each.endsWith('.md'))) {
    put(`${doc}/docs/${name}`, readFileSync(join(root, 'docs', name)));
  }
  const main = join(build, 'src', 'main.js');
  for (const [shell, path] of [
    ['bash', 'usr/share/bash-completion/completions/netsteward'],
    ['zsh', 'usr/share/zsh/vendor-completions/_netsteward'],
    ['fish', 'usr/share/fish/vendor_completions.d/netsteward.fish'],
  ]) {
    put(path, must(process.execPath, [main, 'completion', shell]));
  }
  put(
    'usr/share/lintian/overrides/netsteward',
    [
      '# npm packages at the versions of package-lock.json, which the tests ran with.',
      'netsteward: embedded-javascript-library *',
      '# Prebuilt by the authors of koffi and @photostructure/sqlite, byte for byte as in the lockfile.',
      'netsteward: unstripped-binary-or-object *',
      '# It is not in Debian.',
      'netsteward: initial-upload-closes-no-bugs *',
      '',
    ].join('\n'),
  );
}

/** Services that run for long: an upgrade starts those again that run. */
function lasting(name) {
  const unit = readFileSync(join(packaging, name), 'utf8');
  return name.endsWith('.service') && !/^Type=oneshot/m.test(unit);
}

function putControl() {
  const units = readdirSync(packaging).filter(isUnit).sort();
  const has = (name) => (units.includes(name) ? [name] : []);
  const agent = has('netsteward-nft.service');
  const first = [...has('netsteward.service'), ...has('netsteward-cgroup-nft.service')];
  const services = units.filter((name) => lasting(name) && !agent.includes(name) && !first.includes(name));
  const configured = (ending) => readdirSync(packaging).filter((name) => name.endsWith(ending));
  const state = units.flatMap((name) => {
    const [, names = ''] = /^StateDirectory=(.+)$/m.exec(readFileSync(join(packaging, name), 'utf8')) ?? [];
    return names.split(' ').filter((each) => each !== '');
  });
  const words = {
    UNITS: units,
    SERVICES: [...first, ...services],
    // The agent last: until then it answers to netsteward.service.
    STOPPED: [
      ...units.filter((name) => !name.endsWith('.service')),
      ...units.filter((name) => name.endsWith('.service') && !agent.includes(name)),
      ...agent,
    ],
    SYSUSERS: configured('.sysusers.conf').map((name) => name.replace('.sysusers', '')),
    TMPFILES: configured('.tmpfiles.conf').map((name) => name.replace('.tmpfiles', '')),
    STATE: [...new Set(state)],
  };
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm']) {
    const source = readFileSync(join(root, 'scripts', 'deb', script), 'utf8');
    put(
      `DEBIAN/${script}`,
      source.replace(/@([A-Z]+)@/g, (_, name) => words[name].join(' ')),
      0o755,
    );
  }
  const files = readdirSync(stage, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !relative(stage, path).startsWith('DEBIAN'))
    .sort();
  const sums = files.map(
    (path) => `${createHash('md5').update(readFileSync(path)).digest('hex')}  ${relative(stage, path)}`,
  );
  put('DEBIAN/md5sums', `${sums.join('\n')}\n`);
  const size = files.reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0);
  put(
    'DEBIAN/control',
    `Package: netsteward
Version: ${version}-1
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${size}
Depends: nodejs (>= 20.19), nftables, systemd (>= 247), libc6 (>= 2.36), libstdc++6
Recommends: libnftables1, iproute2
Suggests: fping, polkitd
Section: net
Priority: optional
Description: keeps a Linux machine's network policy true
 Routes services around that are blocked on the direct way, keeps nftables rules
 of systemd units in place before their first packet, moves DNS names with their
 machines by one signed packet, and finds out resolvers that hang or lie.
 .
 Nothing is started before it is configured: see
 /usr/share/doc/netsteward/docs/install.md.
`,
  );
}

/** Modes as in any package, whatever the umask is; times not after the last commit. */
function settle(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    else if (entry.isFile())
      chmodSync(path, readFileSync(path, 'latin1').startsWith('#!') && mayRun(path) ? 0o755 : 0o644);
  }
  chmodSync(folder, 0o755);
  must('find', [folder, '-newermt', `@${epoch}`, '-exec', 'touch', '--no-dereference', `--date=@${epoch}`, '{}', '+']);
}

const mayRun = (path) => ['DEBIAN', program].some((folder) => path.startsWith(join(stage, folder)));

putProgram();
putPackaging();
await putDocs();
putControl();
settle(stage);
mkdirSync(out, { recursive: true });
const file = join(out, `netsteward_${version}-1_${architecture}.deb`);
must('dpkg-deb', ['--root-owner-group', '--build', stage, file], {
  env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
});
process.stdout.write(`${file}\n`);
