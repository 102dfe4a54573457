/** A lab for one test file, in a folder of its own that is gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Lab } from '../../src/lab/lab.ts';
import type { ServiceSpec } from '../../src/lab/service.ts';

/** A new folder, removed after the tests of this file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A lab that is taken down after the tests of this file. */
export async function labForTests(services: readonly ServiceSpec[] = []): Promise<Lab> {
  const lab = await Lab.up({ stateDir: join(scratchFolder(), 'lab'), services });
  after(() => lab.down());
  return lab;
}
