/**
 * After `npm install` against a registry that lacks some platforms' binaries of the lint tools: npm leaves these optional
 * packages out of package-lock.json, and `npm ci` then refuses the file everywhere. This names them, with the platform that
 * their own name says; npm ci never fetches a package of another platform.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];

for (const [path, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`;
    if (lock.packages[place] !== undefined) continue;
    const words = name.split(/[/-]/);
    const os = systems.find((system) => words.includes(system));
    const at = words.lastIndexOf(os);
    if (os === undefined || at + 1 >= words.length) throw new Error(`${path} needs ${name}: no platform in its name`);
    const abi = words.slice(at + 2).join('-');
    lock.packages[place] = {
      version: range.replace(/^[^0-9]*/, ''),
      cpu: [words[at + 1]],
      ...(entry.dev === true ? { dev: true } : {}),
      ...(os === 'linux' && abi !== '' ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {}),
      optional: true,
      os: [os],
    };
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
