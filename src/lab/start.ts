/** Starts the keeper in namespaces of its own, after what an earlier lab may have left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { NetstewardError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { ask } from './control.ts';
import type { StartOrder, StartReport } from './keeper-main.ts';
import { labError } from './lab-error.ts';
import { entryPoint } from './node-host.ts';
import { childrenOf, isAlive, type ProcessId, processId, signalProcess } from './process-id.ts';
import type { ServiceSpec } from './service.ts';
import type { StateFolder } from './state-folder.ts';
import { requireTools, toolPath } from './tools.ts';

export interface StartedKeeper {
  readonly init: ProcessId;
  readonly userNamespace: boolean;
}

// PID 1 of the lab: reaps what is orphaned inside, which Node does not, and ends when the keeper ends.
const firstProcess = '"$@" & wait $!';

export async function startKeeper(
  folder: StateFolder,
  services: readonly ServiceSpec[],
  detached: boolean,
): Promise<StartedKeeper> {
  requireTools();
  const self = processId(process.pid);
  if (self === undefined) throw labError('lab-start', '/proc does not show this process');
  await claim(folder, self);
  const userNamespace = !mayMakeNamespaces();
  try {
    const init = await launch(folder, { stateDir: folder.path, services, attached: !detached }, userNamespace);
    folder.update({ starter: self, init, userNamespace });
    return { init, userNamespace };
  } catch (error) {
    folder.sweep();
    throw error;
  }
}

async function claim(folder: StateFolder, self: ProcessId): Promise<void> {
  for (let attempt = 0; !folder.claim({ starter: self }); attempt++) {
    if (attempt > 3 || (folder.inUse() && (await answers(folder)))) {
      throw labError(
        'lab-running',
        `a lab runs already at ${folder.path}`,
        'Use it, end it with: netsteward lab down, or name another --state.',
      );
    }
    const init = folder.record()?.init;
    if (init !== undefined) {
      signalProcess(init, 'SIGKILL');
      while (isAlive(init)) await wait(5);
    }
    folder.sweep();
    // sweep() removes the folder itself when nothing else is in it.
    folder.recreate();
  }
}

/** A lab that is being started counts as one that answers. */
async function answers(folder: StateFolder): Promise<boolean> {
  if (folder.record()?.init === undefined) return true;
  const reply = ask(folder.control, 'status', {}).then(
    () => true,
    () => false,
  );
  return Promise.race([reply, wait(3000, false, { ref: false })]);
}

/** CAP_SYS_ADMIN (bit 21 of capabilities(7)) lets do without a user namespace. */
function mayMakeNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return process.geteuid?.() === 0 && ((BigInt(`0x${effective}`) >> 21n) & 1n) === 1n;
}

async function launch(folder: StateFolder, order: StartOrder, userNamespace: boolean): Promise<ProcessId> {
  const log = openSync(folder.log, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(
      'unshare',
      [
        ...(userNamespace ? ['--user', '--map-root-user'] : []),
        '--net',
        '--mount',
        '--pid',
        '--fork',
        '--mount-proc',
        '--kill-child',
        'sh',
        '-c',
        firstProcess,
        'netsteward-lab',
        process.execPath,
        entryPoint('keeper-main'),
      ],
      // A session of its own: Ctrl-C at the terminal is the starter's affair.
      { stdio: ['ignore', log, log, 'pipe'], detached: true, cwd: '/', env: { ...process.env, PATH: toolPath() } },
    );
  } finally {
    closeSync(log);
  }
  const lifeline = child.stdio[3] as Duplex & { unref?(): void };
  lifeline.setEncoding('utf8');
  const report = await firstLine(child, lifeline, `${JSON.stringify(order)}\n`);
  if (report === undefined) throw startFailure(folder, userNamespace);
  const answer = JSON.parse(report) as StartReport;
  if (!answer.ok)
    throw new NetstewardError(
      answer.code,
      answer.message,
      answer.remedy === undefined ? {} : { remedy: answer.remedy },
    );
  const init = child.pid === undefined ? undefined : processId(childrenOf(child.pid)[0] ?? 0);
  if (init === undefined) {
    child.kill('SIGKILL');
    throw labError('lab-start', 'the first process of the lab is not to be found');
  }
  // The starter may end whenever it likes; an attached lab then ends with it.
  child.unref();
  if (order.attached) lifeline.unref?.();
  else lifeline.destroy();
  return init;
}

/** Undefined when the keeper ended without a word. */
function firstLine(child: ChildProcess, lifeline: Duplex, order: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.once('exit', () => resolve(text.includes('\n') ? text : undefined));
    lifeline.on('error', () => {});
    lifeline.on('data', (data: string) => {
      text += data;
      if (text.includes('\n')) resolve(text);
    });
    lifeline.write(order);
  });
}

function startFailure(folder: StateFolder, userNamespace: boolean): NetstewardError {
  const said = printable(readFileSync(folder.log, 'utf8').trim().split('\n').slice(-12).join('; '));
  if (said.startsWith('unshare:') || said === '') {
    return labError(
      'lab-namespaces',
      `this machine does not let ${userNamespace ? 'ordinary users' : 'this process'} make namespaces: ${said}`,
      userNamespace
        ? 'Run it as root, or allow it: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0.'
        : 'Containers need --privileged for it.',
    );
  }
  return labError('lab-start', `the lab did not start: ${said}`);
}
