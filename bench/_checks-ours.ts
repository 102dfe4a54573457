/** The checks alone, as bench/checks.ts compares them with curl: a process like any other, with the product's probe in its main thread. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../src/core/clock.ts';
import { LinuxHttpProbe } from '../src/system/linux/http-probe.ts';
import { TrustStore } from '../src/system/linux/trust-store.ts';
import type { Check } from './_checks-lab.ts';

export interface Job {
  readonly checks: readonly Check[];
  /** The same checks again and again, in one process. */
  readonly passes: number;
}

export interface Report {
  /** Milliseconds of CPU, once: reading the CA certificates. */
  readonly trust: number;
  /** Milliseconds of CPU, of each pass. */
  readonly passes: readonly number[];
}

async function pass(probe: LinuxHttpProbe, checks: Job['checks']): Promise<void> {
  const { signal } = new AbortController();
  const outcomes = await Promise.all(
    checks.map(({ host, address }) =>
      probe.probe({ scheme: 'https', host, address, path: '/', timeout: 30_000, bodyLimit: 65_536 }, signal),
    ),
  );
  const bad = outcomes.filter((outcome) => outcome.kind !== 'answer' || outcome.status !== 200);
  if (bad.length > 0) throw new Error(`${bad.length} checks were not answered, such as ${JSON.stringify(bad[0])}`);
}

const { checks, passes } = JSON.parse(readFileSync(0, 'utf8')) as Job;
let before = process.cpuUsage();
/** Milliseconds since the last call. */
function used(): number {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  return (user + system) / 1000;
}
const probe = new LinuxHttpProbe({ clock: systemClock, trust: new TrustStore({}, systemClock) });
const trust = used();
const done: number[] = [];
while (done.length < passes) {
  await pass(probe, checks);
  done.push(used());
}
process.stdout.write(JSON.stringify({ trust, passes: done } satisfies Report));
