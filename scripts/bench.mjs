/** `npm run bench [NAME…]`: set-up, then the named benches (all by default); each prints a Markdown table. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say, setUp } from './setup.mjs';

setUp({ forTests: true });
const all = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('_'))
  .map((file) => file.slice(0, -3));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no such bench: ${unknown.join(', ')}; there are: ${all.join(', ')}\n`);
  process.exit(64);
}
let failed = 0;
for (const name of wanted.length > 0 ? wanted : all) {
  say(`bench ${name}`);
  if (run(process.execPath, [join('dist', 'bench', `${name}.js`)]) !== 0) failed = 1;
}
process.exit(failed);
