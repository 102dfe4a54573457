/** What the benches of cgroup-nft share: a container with units that connect at their start, and the ways to let them through. */
import { setTimeout as wait } from 'node:timers/promises';
import {
  comment,
  configuration,
  dropInUnit,
  grouped,
  mark,
  marked,
  ruleFile,
  runUnit,
  service,
  startNetsteward,
} from '../test/system/allowed-units.ts';
import { bootContainer, type Container, type ContainerOptions } from '../test/system/container.ts';
import { eventually } from '../test/system/eventually.ts';
import { type Connection, connecting, refusing, startServer } from '../test/system/packets.ts';
import { type UserSession, userSession } from '../test/system/user-session.ts';
import { ms, quantile } from './_figures.ts';

export interface Way {
  readonly name: string;
  /** The ruleset before anything runs. */
  readonly ruleset: string;
  /** The unit that keeps the rules; undefined: nothing has to. */
  readonly unit?: string;
  readonly toml?: string;
  readonly kind?: 'groups' | 'comments';
}

export const managers = 'user.slice/user-1000.slice/user@1000.service';
/** Group units, and paths, of what the benches start. */
const units = [
  'measured.service',
  'measured.scope',
  'user@*.service/app.slice/measured.service',
  'many@*.service',
] as const;
const paths = [
  ['measured.service', 'system.slice/measured.service'],
  ['measured.scope', 'system.slice/measured.scope'],
  ['user.service', `${managers}/app.slice/measured.service`],
] as const;

const sets = [2, 3, 5];
const setRules = sets.map((level) => `socket cgroupv2 level ${level} @level${level} accept`).join('\n');
const inSets = refusing(setRules, {
  before: sets.map((level) => `  set level${level} { type cgroupsv2; }`).join('\n'),
});

export const comments = paths.map(([unit, path]) => comment({ unit, path })).join('');

const peer = (kind: string, argument: string): string =>
  '[Service]\nNice=-20\nExecStart=/usr/local/bin/node /opt/netsteward/dist/bench/_cgroup-peer.js ' +
  `${kind} '${argument}'\n`;

export const floor: Way = { name: 'a rule that is always there (floor)', ruleset: refusing('accept') };
export const ownTable: Way = {
  name: 'netsteward, own table',
  ruleset: refusing(marked),
  unit: runUnit,
  toml: grouped(units),
  kind: 'groups',
};
export const inComments: Way = {
  name: 'netsteward, rules in comments',
  ruleset: comments + refusing(),
  unit: dropInUnit(),
  kind: 'comments',
};
export const interactive: Way = {
  name: 'netsteward, own table, through `nft -i`',
  ruleset: refusing(marked),
  unit: peer('interactive', JSON.stringify({ name: 'allowed', units, mark })),
};
export const spawned: Way = {
  name: 'inotify and a spawned `nft`, set element',
  ruleset: inSets,
  unit: peer('inotify', `${managers}/app.slice`),
};
export const journal: Way = {
  name: '`journalctl --follow` and a spawned `nft`, set element',
  ruleset: inSets,
  unit: peer('journal', `${managers}/app.slice`),
};

/** The unit says `NFTSet=`. */
export const bySystemd: Way = { name: 'systemd’s `NFTSet=`', ruleset: inSets };

export const file = '/run/connection';
export const userFile = '/home/alice/connection';

export function unitText(to: string, { type = 'simple', flags = '' } = {}): string {
  const exec = connecting(to, `-t 2 ${flags}`);
  return `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=${type}\nExecStart=${exec}\n`;
}

/** A Debian 12 unless said otherwise, with the server, and a user who has a manager of her own. */
export async function benchContainer(
  files: Readonly<Record<string, string>>,
  options: ContainerOptions = {},
): Promise<{ box: Container; alice: UserSession }> {
  const box = await bootContainer({ tree: 'bookworm', ...options, files });
  try {
    await startServer(box);
    return { box, alice: await userSession(box) };
  } catch (error) {
    await box.stop();
    throw error;
  }
}

/** Loads the ruleset and starts what keeps it. */
export async function begin(box: Container, { ruleset, unit, toml, kind }: Way): Promise<void> {
  await box.write(ruleFile, ruleset);
  await box.run(['nft', '-f', ruleFile]);
  if (unit === undefined) return;
  await box.write(`/etc/systemd/system/${service}`, unit);
  if (toml !== undefined) await box.write(configuration, toml);
  await box.run(['systemctl', 'daemon-reload']);
  if (kind !== undefined) await startNetsteward(box, kind);
  else {
    await box.run(['systemctl', 'start', service]);
    // They tell nobody that they are ready; Node.js starts in 0.1 s.
    await wait(1500);
  }
  // Its start is over: journalctl runs, and what systemd has to say about it is said.
  await wait(1000);
}

export async function end(box: Container, { unit }: Way): Promise<void> {
  if (unit !== undefined) await box.run(['systemctl', 'stop', service]);
}

/** All runs of a file, one line each, when there are as many; then it is emptied. */
export async function take(box: Container, from: string, count: number): Promise<readonly Connection[]> {
  const lines = await eventually(
    `${count} runs in ${from}`,
    async () => {
      const { stdout } = await box.exec(['cat', from]);
      const found = stdout.split('\n').filter(Boolean);
      return found.length >= count ? found : undefined;
    },
    { seconds: 120 },
  );
  await box.run(['rm', from]);
  return lines.map((line) => JSON.parse(line) as Connection);
}

/** First connections refused, and milliseconds from main() to the first one that got through. */
export interface Delays {
  readonly runs: number;
  readonly refused: number;
  /** Never got through. */
  readonly never: number;
  readonly delays: readonly number[];
}

export function delaysOf(made: readonly Connection[]): Delays {
  const delays = made.flatMap(({ first_success: at, main_start: from }) => (at === null ? [] : [at - from]));
  const refused = made.filter(({ first_result: result }) => result !== 'connected').length;
  return { runs: made.length, refused, never: made.length - delays.length, delays };
}

/** `0 of 200` and `0.14 / 0.30 / 4.1` */
export function cells({ runs, refused, never, delays }: Delays): readonly [string, string] {
  const late = [0.5, 0.95, 1].map((share) => ms(quantile(delays, share))).join(' / ');
  return [`${refused} of ${runs}`, never === 0 ? late : never === runs ? 'never' : `${late}; ${never} never`];
}

/** What the machine had to do beside the bench, for the note under the table. */
export async function load(): Promise<string> {
  const { loadavg } = await import('node:os');
  return loadavg()
    .map((one) => one.toFixed(1))
    .join(' / ');
}
