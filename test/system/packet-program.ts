/** first-connection, compiled: a static program that runs in every tree. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../checkout.ts';
import { cache } from './tree.ts';

/** The program's path on this machine. Compiled (half a second) once per version of its source. */
export function firstConnection(): string {
  const source = join(checkout, 'test', 'system', 'first-connection.c');
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const program = join(cache, `first-connection-${hash}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const made = `${program}.${process.pid}`;
  const words = ['-O2', '-static', '-Wall', '-Wextra', '-Werror', '-o', made, source];
  const { status, stderr, error } = spawnSync('gcc', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`gcc ${words.join(' ')}: ${error?.message ?? stderr}`);
  renameSync(made, program);
  return program;
}
