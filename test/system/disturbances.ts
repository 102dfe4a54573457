/** What tests do to netsteward while units start and stop beside it, and what must then be true of the ruleset. */
import assert from 'node:assert/strict';
import { type Allowed, connectingUnit, firstAttempt, refused, service } from './allowed-units.ts';
import type { Container } from './container.ts';
import { eventually } from './eventually.ts';
import type { Connection, Watched } from './packets.ts';

/** Where what `client` and `held` do is written. */
export const clientFile = '/run/connection';
export const heldFile = '/run/held';

export const client: Allowed = { unit: 'client.service', path: 'system.slice/client.service' };
/** Runs until it is stopped. */
export const held: Allowed = { unit: 'held.service', path: 'system.slice/held.service' };
/** packets.ts's watching(). */
export const watched: Allowed = { unit: 'watch.service', path: 'system.slice/watch.service' };

const restartsFile = '/run/restarts';

/** A unit that connects, ends, and is made anew by systemd over and over, each time with a new cgroup. */
export const restarting: Allowed = { unit: 'restarting.service', path: 'system.slice/restarting.service' };

export const unitFiles: Readonly<Record<string, string>> = {
  [`/etc/systemd/system/${client.unit}`]: connectingUnit(clientFile),
  [`/etc/systemd/system/${held.unit}`]: connectingUnit(heldFile, { flags: '-s -t 0.1' }),
  [`/etc/systemd/system/${restarting.unit}`]: connectingUnit(restartsFile, {
    extra: 'Restart=always\nRestartSec=20ms',
  }),
};

/** What the administrator has beside netsteward's, for refusing(): rules whose order counts, a set, another chain. */
export const theirRules = 'ip daddr 192.0.2.1 accept\nip daddr 192.0.2.2 counter accept\nudp dport 53 accept';
export const theirOthers =
  '  set theirs { type ipv4_addr; elements = { 192.0.2.7 } }\n  chain aside { ip saddr @theirs drop; }';

export const restart =
  (box: Container, { unit }: Allowed) =>
  (): Promise<string> =>
    box.run(['systemctl', 'restart', unit]);

export interface Restarts {
  /** Waits until `count` of the runs that begin from now on have got through at their first attempt. */
  through(count?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Sets the unit going. */
export async function restarts(box: Container): Promise<Restarts> {
  await box.run(['rm', '-f', restartsFile]);
  await box.run(['systemctl', 'start', restarting.unit]);
  return {
    through: async (count = 3) => {
      // CLOCK_MONOTONIC, as first-connection's.
      const now = Number(process.hrtime.bigint()) / 1e6;
      let last: readonly Connection[] = [];
      const enough = async (): Promise<boolean> => {
        const { stdout } = await box.exec(['cat', restartsFile]);
        last = stdout
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Connection)
          .filter(({ main_start }) => main_start > now);
        return last.filter(({ first_result }) => first_result === 'connected').length >= count;
      };
      const details = (): string => JSON.stringify(last);
      await eventually(`${count} first attempts that get through`, enough, { seconds: 40, details });
    },
    stop: async () => {
      await box.run(['systemctl', 'stop', restarting.unit]);
    },
  };
}

/** Does `disturb` over and over, `times` at least, until `work`, which is begun with it, is done. */
export async function during(
  times: number,
  disturb: () => Promise<unknown>,
  work: () => Promise<unknown>,
): Promise<void> {
  let over = false;
  const working = work().finally(() => {
    over = true;
  });
  const disturbing = async (): Promise<void> => {
    for (let count = 0; count < times || !over; count += 1) await disturb();
  };
  await Promise.all([working, disturbing()]);
}

/** Everything that is not netsteward's, as nft lists it: rules in their order, without handles and counters. */
export async function foreign(box: Container): Promise<string> {
  const all = await box.run(['nft', '-s', '-t', 'list', 'ruleset']);
  return all
    .replace(/^table inet netsteward-units \{[\s\S]*?^\}\n/m, '')
    .replace(/^\tchain netsteward-[\s\S]*?^\t\}\n/gm, '')
    .replace(/^\t\tjump netsteward-.*\n/gm, '')
    .replace(/\n{2,}/g, '\n');
}

/** Numbers of cgroups that are gone: nft lists them as such, in rules and in the sets of this table. */
export async function deadIds(box: Container, table: string): Promise<readonly string[]> {
  const text = await box.run(['nft', '-s', 'list', 'table', 'inet', table]);
  const rules = [...text.matchAll(/socket cgroupv2 level \d+ (\d+)/g)].map(([, id = '']) => id);
  const sets = [...text.matchAll(/type cgroupsv2[^}]*?elements = \{([^}]*)\}/g)].flatMap(([, elements = '']) =>
    elements.split(',').flatMap((element) => /^\s*(\d+)/.exec(element)?.[1] ?? []),
  );
  return [...rules, ...sets];
}

/** Rules and elements of cgroups that are gone are gone too, as soon as netsteward has seen to it. */
export async function noneDead(box: Container, table: string): Promise<void> {
  let dead: readonly string[] = [];
  const none = async (): Promise<boolean> => {
    dead = await deadIds(box, table);
    return dead.length === 0;
  };
  await eventually('no number of a dead cgroup is left', none, { details: () => dead.join() });
}

/** The main process of netsteward's unit. */
async function mainPid(box: Container): Promise<string> {
  return (await box.run(['systemctl', 'show', '--property=MainPID', '--value', service])).trim();
}

/** kill -9 of the service (`how`: more of systemctl's arguments), until systemd has it running again. */
export async function killed(box: Container, ...how: readonly string[]): Promise<void> {
  const former = await mainPid(box);
  await box.run(['systemctl', 'kill', '--signal=KILL', ...how, service]);
  await eventually('netsteward runs again', async () => {
    const { stdout } = await box.exec(['systemctl', 'is-active', service]);
    return stdout === 'active\n' && (await mainPid(box)) !== former;
  });
}

/**
 * All of netsteward is stopped while `held` is made anew, and goes on: what it missed is made up for. `table` is where
 * its rules or elements are.
 */
export async function stoppedAndContinued(box: Container, table: string): Promise<void> {
  const inForce = async (): Promise<boolean> => {
    const text = await box.run(['nft', '-s', 'list', 'table', 'inet', table]);
    return text.includes(`"${held.path}"`) && (await deadIds(box, table)).length === 0;
  };
  await restart(box, held)();
  await eventually('the unit is let through', inForce);
  await box.run(['systemctl', 'kill', '--signal=STOP', service]);
  try {
    await refused(box, heldFile, restart(box, held));
    assert.equal((await deadIds(box, table)).length, 1);
  } finally {
    await box.run(['systemctl', 'kill', '--signal=CONT', service]);
  }
  await eventually('what it missed is made up for', inForce);
  await firstAttempt(box, heldFile, restart(box, held));
}

/** What became of datagrams since the first that got through: the watch is a unit whose start may lose its race, as any. */
export function sinceFirst({ changes }: Watched): readonly string[] {
  const results = changes.map(({ result }) => result);
  return results.slice(Math.max(0, results.indexOf('sent')));
}
