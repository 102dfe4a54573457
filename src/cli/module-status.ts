/** One run of `netsteward MODULE status`: what the running netsteward says of one of its modules. */
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { ModuleName } from '../core/module.ts';
import { askControl } from './control-client.ts';
import { statusOf } from './control-shapes.ts';
import { print, printJson } from './output.ts';
import type { SocketOptions } from './socket-option.ts';

export interface ModuleStatusFlags extends SocketOptions {
  readonly json?: true;
}

/** Milliseconds; a status costs no I/O. */
const patience = 5000;

/** `lines`: for people; the module's warnings follow them. Rejects with what asking rejects with, and `NAME-not-running`. */
export async function showModuleStatus<Detail>(
  name: ModuleName,
  { socket, json }: ModuleStatusFlags,
  lines: (detail: Detail) => readonly string[],
): Promise<ExitCode> {
  const answer = await askControl({ socket, method: 'GET', path: '/status', limit: patience });
  const found = statusOf(socket, answer).modules.find((module) => module.name === name)?.health;
  if (found?.detail === undefined || found.detail === null) {
    throw new NetstewardError(`${name}-not-running`, `the running netsteward has no ${name}, or it has just begun`, {
      remedy: `Add [${name}] to its configuration; \`netsteward status\` shows what it runs.`,
    });
  }
  const detail = found.detail as Detail;
  if (json === true) printJson(detail);
  else {
    const all = [...lines(detail), ...found.warnings.map(({ text }) => `! ${text}`)];
    print(all.map((line) => `${line}\n`).join(''));
  }
  return exitCodes.ok;
}
