/** A container whose units may send the server just what netsteward's rules let through, and units that connect the moment they start. */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { bootContainer, type Container, type ContainerOptions } from './container.ts';
import { eventually } from './eventually.ts';
import { type Connection, connecting, connections, refusing, startServer } from './packets.ts';

/**
 * Which netsteward keeps the rules. `groups`: `netsteward run` with a table of its own that marks packets, which the
 * administrator's ruleset lets pass. `comments`: `netsteward cgroup-nft /etc/nftables.conf` with rules in comments.
 */
export type Way = 'groups' | 'comments';

export interface Allowed {
  /** For a group, and the trigger unit of a rule. May be a glob for a group. */
  readonly unit: string;
  /** Of its cgroup, from the tree's root; may be a glob. */
  readonly path: string;
  /** Trigger unit of the rule where it is not `unit`. */
  readonly trigger?: string;
}

export const mark = 0x10000;
export const service = 'netsteward.service';
export const ruleFile = '/etc/nftables.conf';
export const configuration = '/etc/netsteward/netsteward.toml';

/** The administrator's static rule for the mark of the group. */
export const marked = `meta mark & ${mark} == ${mark} accept`;

/** A comment that lets everything of this cgroup through, in the chain of refusing(). */
export function comment({ unit, path, trigger = unit }: Allowed, verdict = 'accept'): string {
  const level = path.split('/').length;
  return `# ${trigger} :: add rule inet filter allowed socket cgroupv2 level ${level} "${path}" ${verdict}\n`;
}

/** A netsteward.toml with one group of these units. */
export function grouped(units: readonly string[], more = ''): string {
  const names = units.map((unit) => `'${unit}'`).join(', ');
  return `[cgroup-nft]\n${more}\n[[cgroup-nft.group]]\nname = "allowed"\nunits = [${names}]\nmark = ${mark}\n`;
}

/** Of `netsteward run`, as it is meant to be run. */
export const runUnit =
  '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nRestart=always\nRestartSec=50ms\n' +
  'ExecStart=/usr/local/bin/netsteward run\nStateDirectory=netsteward\n';

/** Of the drop-in, with a priority that keeps it ahead on a machine that others use. */
export function dropInUnit(flags = ''): string {
  return `[Unit]\nStartLimitIntervalSec=0\n[Service]\nNice=-20\nExecStart=/usr/local/bin/netsteward cgroup-nft ${flags} ${ruleFile}\n`;
}

/** A unit that connects at its start and ends when it got through; `flags` are first-connection's, `extra` lines of [Service]. */
export function connectingUnit(file: string, { flags = '', extra = '' } = {}): string {
  return `[Unit]\nStartLimitIntervalSec=0\n[Service]\n${extra}\nExecStart=${connecting(file, `-t 3 ${flags}`)}\n`;
}

/** What netsteward said but of late starts: those are the machine's, when it has no CPU time to give. */
export function allButLate(said: string): string {
  const late = /the rules of \S+ came .+ after its process had begun/;
  return said
    .split('\n')
    .filter((line) => !late.test(line))
    .join('\n');
}

export interface AllowingOptions extends ContainerOptions {
  readonly way: Way;
  readonly allowed: readonly Allowed[];
  /** More of the drop-in's command line. */
  readonly flags?: string;
}

/** Boots it with the server and the ruleset, and has `netsteward.service` running. */
export async function allowing({ way, allowed, flags, files, ...options }: AllowingOptions): Promise<Container> {
  const unit = way === 'groups' ? runUnit : dropInUnit(flags);
  const comments = way === 'groups' ? '' : allowed.map((one) => comment(one)).join('');
  const box = await bootContainer({
    ...options,
    files: {
      [`/etc/systemd/system/${service}`]: unit,
      [configuration]: grouped(allowed.map((one) => one.unit)),
      [ruleFile]: comments + refusing(way === 'groups' ? marked : ''),
      ...files,
    },
  });
  try {
    await startServer(box);
    await box.run(['nft', '-f', ruleFile]);
    await startNetsteward(box, way);
    return box;
  } catch (error) {
    await box.stop();
    throw error;
  }
}

/** Until everything that is alive is applied. */
export async function startNetsteward(box: Container, way: Way): Promise<void> {
  await box.run(['systemctl', 'start', service]);
  // The drop-in tells nobody that it is ready.
  if (way === 'comments') await jumped(box);
}

/** Waits for the jump to netsteward's rules in the administrator's chain. */
export async function jumped(box: Container): Promise<void> {
  await eventually('the rules are in the chain', () => hasJump(box));
}

export async function hasJump(box: Container): Promise<boolean> {
  const { stdout } = await box.exec(['nft', '-t', 'list', 'chain', 'inet', 'filter', 'allowed']);
  return stdout.includes('jump netsteward-allowed');
}

/** What the next run of a unit that writes to `file` does, begun by `start`. */
export async function nextRun(box: Container, file: string, start: () => Promise<unknown>): Promise<Connection> {
  await box.run(['rm', '-f', file]);
  await start();
  const [made] = await connections(box, file, 1);
  assert.ok(made !== undefined);
  return made;
}

/**
 * Starts it up to six times until its first attempt gets through, and gives that run. Without a rule that is there
 * before the process it never does; a machine that is out of CPU time may lose some races (bench/cgroup-start.ts counts),
 * so there is ever more time between them, in which whatever takes it may come to its end.
 */
export async function firstAttempt(box: Container, file: string, start: () => Promise<unknown>): Promise<Connection> {
  const tried: Connection[] = [];
  for (let pause = 100; tried.length < 6; pause *= 2) {
    const made = await nextRun(box, file, start);
    if (made.first_result === 'connected') return made;
    tried.push(made);
    await wait(pause);
  }
  const said = await box.exec(['journalctl', '--no-pager', '-u', service]);
  const rules = await box.exec(['nft', '-t', 'list', 'ruleset']);
  assert.fail(`no first attempt got through: ${JSON.stringify(tried)}\n${said.stdout}\n${rules.stdout}`);
}

/** Its first attempts are refused, and so are all that follow within `-t` of the unit. */
export async function refused(box: Container, file: string, start: () => Promise<unknown>): Promise<void> {
  const made = await nextRun(box, file, start);
  assert.deepEqual([made.first_result, made.first_success], ['refused', null]);
}
