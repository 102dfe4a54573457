/** Before `npm pack` and `npm publish`: a build without left-overs of earlier ones. What it says goes to standard error. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

for (const name of ['src', 'web', '.tsbuildinfo', '.tsbuildinfo-web']) {
  rmSync(join(root, 'dist', name), { recursive: true, force: true });
}
const { status } = spawnSync(process.execPath, [join('scripts', 'build.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
process.exit(status ?? 1);
