/** netsteward's side of bench/checks.ts: `netsteward run` as users run it, its passes told apart by its log. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Bundle, type Check, type ChecksLab, family, usageOf } from './_checks-lab.ts';

const mainJs = fileURLToPath(new URL('../src/main.js', import.meta.url));
const example = 'netsteward.example.toml';
/**
 * Milliseconds from the begin of a pass to the next one, and from a verdict until it is due again: not yet when the second daemon
 * starts, but all at once in the pass after.
 */
const timersFor = (checks: number): { readonly pass: number; readonly due: number } =>
  checks < 1000 ? { pass: 14_000, due: 8000 } : { pass: 40_000, due: 18_000 };
/** The CPU of a pass is taken so long before it begins, and again so long before the next one: V8 tidies up for seconds after work. */
const ahead = 1000;

/** Of one pass that checked everything; names are known from before. */
export interface Pass {
  /** Milliseconds until its verdicts were saved. */
  readonly wall: number;
  /** Milliseconds of CPU of the whole process, to the begin of the next pass. */
  readonly cpu: number;
  /** Of the whole process, from its start. */
  readonly peakMegabytes: number;
}

export interface DaemonRun {
  /** Of a cold process first. */
  readonly passes: readonly Pass[];
  /** Of both daemons. */
  readonly peakMegabytes: number;
  readonly working: number;
  readonly failing: number;
}

export interface DaemonOptions {
  /** Their names must make up whole services. */
  readonly checks: readonly Check[];
  readonly bundle: Bundle;
  /** Seconds. */
  readonly timeout: number;
  readonly passes: number;
}

/** A first daemon resolves the names and checks once, so that in the second one's first pass there is nothing but checks. */
export async function runDaemon(lab: ChecksLab, options: DaemonOptions): Promise<DaemonRun> {
  const folder = mkdtempSync(join(lab.folder, 'run-'));
  try {
    const list = join(folder, 'services.list');
    writeFileSync(list, [...new Set(options.checks.map(({ host }) => host))].join('\n'));
    const first = await Daemon.start(lab, folder, options);
    const { peakMegabytes } = await first.pass(false);
    const verdicts = { working: first.turned(true), failing: first.turned(false) };
    await first.stop();
    const daemon = await Daemon.start(lab, folder, options);
    await daemon.emptyPass();
    const passes: Pass[] = [];
    while (passes.length < options.passes) passes.push(await daemon.pass());
    await daemon.stop();
    const peaks = [peakMegabytes, ...passes.map((each) => each.peakMegabytes)];
    return { passes, peakMegabytes: Math.max(...peaks), ...verdicts };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A line of the log. */
interface Event {
  readonly event: string;
  /** As of Date.parse(). */
  readonly time: string;
  /** Of `learned`: results that were saved in one transaction. */
  readonly checked?: number;
  /** Of `address-state`: the verdict. */
  readonly to?: boolean | null;
}

class Daemon {
  readonly #child: ChildProcess;
  readonly #count: number;
  readonly #events: Event[] = [];
  #said = '';
  #pid = 0;
  #heard = 0;

  private constructor(child: ChildProcess, count: number) {
    this.#child = child;
    this.#count = count;
    let rest = '';
    const hear = (chunk: Buffer): void => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.#said = `${this.#said}${lines.join('\n')}\n`.slice(-5000);
      for (const line of lines) if (line.startsWith('{')) this.#events.push(JSON.parse(line) as Event);
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', hear);
  }

  /** Resolves when it is ready. */
  static async start(lab: ChecksLab, folder: string, { checks, bundle, timeout }: DaemonOptions): Promise<Daemon> {
    const { pass, due } = timersFor(checks.length);
    const settings = {
      'log.format': 'json',
      // Tells of every pass, and of little else where no verdict changes.
      'log.level': 'debug',
      'control.socket': join(folder, 'control.sock'),
      'nbrpc.check_lists': [join(folder, 'services.list')],
      'nbrpc.state': join(folder, 'nbrpc.db'),
      'nbrpc.resolver.servers': lab.lab.resolvers,
      'nbrpc.check.timeout': `${timeout}s`,
      // They are checks like others, but not asked of curl.
      'nbrpc.control.services': [],
      'nbrpc.limits.iter_hosts': 10_000,
      'nbrpc.limits.iter_addrs': 10_000,
      'nbrpc.schedule': 'original',
      'nbrpc.timers.pass': `${pass}ms`,
      'nbrpc.timers.host_addrs': '1d',
      'nbrpc.timers.addr_state': `${due}ms`,
    };
    const overrides = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
    const child = lab.spawn(bundle, [process.execPath, mainJs, 'run', '--config', example, ...overrides]);
    const daemon = new Daemon(child, checks.length);
    await daemon.#until(() => daemon.#events.some(({ event }) => event === 'ready'));
    daemon.#pid = daemonPid(child);
    return daemon;
  }

  /** The next pass, which checks everything; resolves shortly before the one after, if `whole`. */
  async pass(whole = true): Promise<Pass> {
    const before = usageOf(this.#pid);
    let begun = Number.NaN;
    let checked = 0;
    while (checked < this.#count) {
      await this.#until(() => this.#events.length > this.#heard);
      const { event, time, checked: more = 0 } = this.#events[this.#heard++] as Event;
      if (event === 'pass' && checked === 0) begun = Date.parse(time);
      if (event !== 'learned' || more === 0) continue;
      if (Number.isNaN(begun)) throw new Error('this machine is too slow: a pass has met the one before');
      checked += more;
    }
    const wall = Date.parse(this.#events[this.#heard - 1]?.time ?? '') - begun;
    if (whole) await this.#untilAhead(begun);
    const { cpu, peak } = usageOf(this.#pid);
    return { wall, cpu: cpu - before.cpu, peakMegabytes: peak / 1024 };
  }

  /** After a start with nothing due; resolves shortly before the second pass, which checks everything. */
  async emptyPass(): Promise<void> {
    await this.#until(() => this.#events.some(({ event }) => event === 'pass'));
    await this.#untilAhead(Date.parse(this.#events.find(({ event }) => event === 'pass')?.time ?? ''));
    if (this.#events.some(({ checked = 0 }) => checked > 0))
      throw new Error('this machine is too slow: a pass was early');
    this.#heard = this.#events.length;
  }

  async #untilAhead(begun: number): Promise<void> {
    const left = begun + timersFor(this.#count).pass - ahead - Date.now();
    if (left < 0) throw new Error('this machine is too slow: a pass takes longer than the time to the next');
    await wait(left);
  }

  /** Addresses whose verdict has become this one. */
  turned(to: boolean): number {
    return this.#events.filter((each) => each.event === 'address-state' && each.to === to).length;
  }

  async stop(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#child.exitCode !== null) throw new Error(`netsteward ended:\n${this.#said}`);
      await wait(20);
    }
  }
}

/** Between this process and netsteward are nsenter, ip and sh; the last two became it. */
function daemonPid(daemon: ChildProcess): number {
  const pid = family(daemon.pid ?? 0).find((each) => {
    const [program = '', script = '', command] = readFileSync(`/proc/${each}/cmdline`, 'utf8').split('\0');
    return program.endsWith('node') && script === mainJs && command === 'run';
  });
  if (pid === undefined) throw new Error('netsteward is nowhere');
  return pid;
}
