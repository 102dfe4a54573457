/** Runs `netsteward dnstest check --json` as a program of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { FailureKind } from '../../src/dnstest/check-result.ts';
import { mainJs } from '../checkout.ts';

export interface CheckedResolver {
  readonly resolver: string;
  readonly name: string;
  readonly ok: boolean;
  readonly elapsedMs: number;
  readonly kind?: FailureKind;
  readonly text?: string;
  readonly control?: 'right' | 'failed';
}

export interface CheckRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runProgram(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<CheckRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [mainJs, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** One result for each resolver, in their order. */
export async function check(
  ...args: readonly string[]
): Promise<{ code: number | null; results: readonly CheckedResolver[]; networkDown: boolean; stderr: string }> {
  const { code, stdout, stderr } = await runProgram(['dnstest', 'check', '--json', ...args]);
  assert.notEqual(stdout, '', `code ${code}: ${stderr}`);
  const said = JSON.parse(stdout) as { ok: boolean; networkDown: boolean; results: readonly CheckedResolver[] };
  assert.equal(said.ok, code === 0);
  return { code, results: said.results, networkDown: said.networkDown, stderr };
}

/** `53 timeout right`: exit code, kind of the only result, what the control said. */
export async function verdict(...args: readonly string[]): Promise<string> {
  const { code, results } = await check(...args);
  const [one] = results;
  return [code, one?.kind ?? 'right', ...(one?.control === undefined ? [] : [one.control])].join(' ');
}
