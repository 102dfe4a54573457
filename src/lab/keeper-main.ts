/** The keeper: the one process that makes a lab inside its private namespaces and with whose end the lab ends. */
import { Socket } from 'node:net';
import { describeError, NetstewardError } from '../core/errors.ts';
import { Keeper } from './keeper.ts';
import type { ServiceSpec } from './service.ts';
import { StateFolder } from './state-folder.ts';
import { toolPath } from './tools.ts';

/** The first line that the starter writes to descriptor 3. */
export interface StartOrder {
  readonly stateDir: string;
  readonly services: readonly ServiceSpec[];
  /** End with the starter: when descriptor 3 reaches its end. */
  readonly attached: boolean;
}

/** The one line that it gets back. */
export type StartReport =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly remedy?: string };

process.env.PATH = toolPath();
const lifeline = new Socket({ fd: 3, readable: true, writable: true });
lifeline.setEncoding('utf8');

function end(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

async function start(order: StartOrder): Promise<void> {
  if (order.attached) lifeline.on('close', () => process.exit(0));
  let report: StartReport;
  try {
    const keeper = new Keeper(StateFolder.open(order.stateDir), end);
    await keeper.start(order.services);
    report = { ok: true };
  } catch (error) {
    const remedy = error instanceof NetstewardError ? error.remedy : undefined;
    report = {
      ok: false,
      code: error instanceof NetstewardError ? error.code : 'lab-start',
      message: error instanceof Error ? error.message : String(error),
      ...(remedy === undefined ? {} : { remedy }),
    };
    process.stderr.write(`${describeError(error)}\n`);
  }
  lifeline.write(`${JSON.stringify(report)}\n`);
  if (!report.ok) lifeline.end(() => process.exit(1));
}

let text = '';
lifeline.on('error', () => {});
lifeline.on('data', function onData(data: unknown) {
  text += String(data);
  if (!text.endsWith('\n')) return;
  lifeline.off('data', onData).resume();
  start(JSON.parse(text) as StartOrder).catch((error) => end(describeError(error)));
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => process.exit(0));
