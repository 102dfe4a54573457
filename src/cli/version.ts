/** The version of this netsteward, from its package.json. */
import { readFileSync } from 'node:fs';

/** Two folders up in the source tree, one more per folder of the build (`dist/src/cli`). */
export function packageVersion(): string {
  for (const up of ['../../', '../../../', '../../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
      if (name === 'netsteward' && typeof version === 'string') return version;
    } catch {
      // Not here: one more up.
    }
  }
  return 'unknown';
}
