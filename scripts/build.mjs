/** `npm run build [-- FOLDER]`: the program and the status page into FOLDER (dist by default). */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, run } from './setup.mjs';

/** What the page has beside its modules; all that the browser loads lies in web/ below the build folder, as it is served. */
const ready = [
  ...['index.html', 'page.css', 'icon.svg'].map((file) => [join('web', file), file]),
  [join('node_modules', 'uplot', 'dist', 'uPlot.esm.js'), 'uplot.js'],
  [join('node_modules', 'uplot', 'dist', 'uPlot.min.css'), 'uplot.css'],
  [join('node_modules', 'uplot', 'LICENSE'), 'uplot.LICENSE'],
];

/** Gives the exit code. Both compile whatever of src/ they need: the page takes types alone from there. */
export function build(folder = join(root, 'dist')) {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  for (const [project, info] of [
    ['tsconfig.json', '.tsbuildinfo'],
    [join('web', 'tsconfig.json'), '.tsbuildinfo-web'],
  ]) {
    const code = run(tsc, ['-p', project, '--outDir', folder, '--tsBuildInfoFile', join(folder, info)]);
    if (code !== 0) return code;
  }
  copyWeb(folder);
  return 0;
}

export function copyWeb(folder) {
  mkdirSync(join(folder, 'web'), { recursive: true });
  for (const [from, to] of ready) copyFileSync(join(root, from), join(folder, 'web', to));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exit(build(process.argv[2] === undefined ? undefined : resolve(process.argv[2])));
}
