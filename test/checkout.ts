/** Where this checkout is, and its built main.js: tests run compiled, from whatever folder the build went to. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

function findCheckout(): string {
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  throw new Error(`no package.json above ${here}`);
}

export const checkout: string = findCheckout();

/** The command line's entry of the build that this test belongs to. */
export const mainJs: string = join(here, '..', 'src', 'main.js');
