/** The main job in front of one's eyes: the lab, netsteward in its router, a client that fetches, and a censor on tour. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { NetstewardError } from '../core/errors.ts';
import type { CurlResult } from './curl.ts';
import { Lab } from './lab.ts';
import { labPage, PageWay } from './page-way.ts';
import { bystander, type Stop, tour, tourCheckList, tourOverrides } from './tour.ts';

export interface RehearsalOptions {
  readonly stateDir: string;
  /** netsteward's configuration file, and the JavaScript file that is its command line. */
  readonly config: string;
  readonly mainJs: string;
  /** Play the censor's tour; otherwise the censor waits for orders from another terminal. */
  readonly tour: boolean;
  /** One line for the reader: who speaks, and what. */
  readonly tell: (who: 'lab' | 'censor' | 'client' | 'netsteward', text: string) => void;
  /** How netsteward's own log lines are shown. */
  readonly logLine: (json: string) => string;
}

/** A lab with netsteward running in its router. */
export class Rehearsal {
  readonly lab: Lab;
  readonly socket: string;
  readonly checkList: string;
  readonly #options: RehearsalOptions;
  readonly #daemon: ChildProcess;
  readonly #seen = new Map<string, string>();
  #page: { readonly way: PageWay; readonly tokenFile: string } | undefined;
  #startMs = Number.NaN;
  #stopping = false;

  private constructor(lab: Lab, daemon: ChildProcess, folder: string, options: RehearsalOptions) {
    this.lab = lab;
    this.#daemon = daemon;
    this.#options = options;
    this.socket = join(folder, 'control.sock');
    this.checkList = join(folder, 'services.list');
  }

  /** Resolves when netsteward is ready in the lab's router. Throws LabError `lab-…`, or what netsteward said when it ended. */
  static async start(options: RehearsalOptions): Promise<Rehearsal> {
    const lab = await Lab.up({ stateDir: options.stateDir });
    try {
      const folder = join(lab.stateDir, 'router');
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const checkList = join(folder, 'services.list');
      writeFileSync(checkList, tourCheckList);
      const overrides = tourOverrides({
        checkList,
        state: join(folder, 'nbrpc.db'),
        socket: join(folder, 'control.sock'),
        caFile: lab.caFile,
        resolvers: lab.resolvers,
      });
      const page = labPage(folder);
      const daemon = lab.spawn(
        'router',
        [process.execPath, options.mainJs, 'run', '--config', options.config, ...overrides, ...(page?.overrides ?? [])],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const rehearsal = new Rehearsal(lab, daemon, folder, options);
      const begun = performance.now();
      await rehearsal.#untilReady();
      rehearsal.#startMs = performance.now() - begun;
      if (page !== undefined) rehearsal.#page = { way: await PageWay.open(page.socket), tokenFile: page.tokenFile };
      return rehearsal;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** The status page for a browser on this machine, and the file that has its token; undefined: there is no way to it. */
  get page(): { readonly url: string; readonly tokenFile: string } | undefined {
    return this.#page && { url: this.#page.way.url, tokenFile: this.#page.tokenFile };
  }

  /** Milliseconds from netsteward's start to its being ready. */
  get startMs(): number {
    return this.#startMs;
  }

  /** Shows what the client gets until the signal aborts; plays the tour if that was asked for. */
  async play(signal: AbortSignal): Promise<void> {
    const shows = [this.#watchClient(signal)];
    if (this.#options.tour) shows.push(this.#playTour(signal));
    const end = new Promise<never>((_resolve, reject) => {
      this.#daemon.once('close', () => {
        if (!this.#stopping)
          reject(new NetstewardError('lab-daemon-ended', 'netsteward ended; its last lines say why'));
      });
    });
    try {
      await Promise.race([Promise.all(shows), end]);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Ends netsteward as systemd would, then the lab. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => {
      if (this.#daemon.exitCode !== null || this.#daemon.signalCode !== null) resolve();
      else this.#daemon.once('close', () => resolve());
    });
    this.#daemon.kill('SIGTERM');
    await Promise.race([closed, wait(5000, undefined, { ref: false })]);
    await this.#page?.way.close();
    await this.lab.down();
  }

  async #untilReady(): Promise<void> {
    const { tell, logLine } = this.#options;
    const lastWords: string[] = [];
    const { stdout, stderr } = this.#daemon;
    if (stdout === null || stderr === null) throw new TypeError('netsteward was started without pipes');
    await new Promise<void>((resolve, reject) => {
      const hear = (line: string): void => {
        const shown = logLine(line);
        lastWords.push(shown);
        if (lastWords.length > 20) lastWords.shift();
        const event = eventOf(line);
        if (event === 'ready') resolve();
        else if (event === undefined || eventsShown.has(event)) tell('netsteward', shown);
      };
      createInterface({ input: stdout }).on('line', hear);
      createInterface({ input: stderr }).on('line', hear);
      this.#daemon.once('error', reject);
      this.#daemon.once('close', (code) => {
        reject(
          new NetstewardError('lab-daemon-ended', `netsteward ended with exit code ${code}:\n${lastWords.join('\n')}`),
        );
      });
    });
  }

  /** Fetches every service each second; tells when the outcome changes. */
  async #watchClient(signal: AbortSignal): Promise<void> {
    const services = [...new Map([bystander, ...tour].map((stop) => [stop.service, stop])).values()];
    await Promise.all(
      services.map(async ({ service, scheme }) => {
        while (!signal.aborted) {
          const result = await this.lab.curl(service, { scheme, timeout: 2500 });
          if (signal.aborted) return;
          this.#tellFetch(service, result);
          await wait(1000, undefined, { signal });
        }
      }),
    );
  }

  #tellFetch(service: string, result: CurlResult): void {
    const outcome = fetchText(result);
    if (this.#seen.get(service) === outcome) return;
    this.#seen.set(service, outcome);
    this.#options.tell('client', `${service} ${outcome}${result.ok ? ` (${result.ms} ms)` : ''}`);
  }

  async #playTour(signal: AbortSignal): Promise<void> {
    await this.#until(bystander.service, (outcome) => outcome.startsWith('works'), signal);
    for (const stop of tour) {
      await wait(3000, undefined, { signal });
      await this.#playStop(stop, signal);
    }
    this.#options.tell('censor', 'the tour is over; block what you like from another terminal');
  }

  async #playStop(stop: Stop, signal: AbortSignal): Promise<void> {
    this.#options.tell('censor', `${stop.says} (lab censor ${stop.service} ${stop.kind})`);
    await this.lab.censor(stop.service, stop.kind);
    await this.#until(stop.service, (outcome) => outcome.endsWith('through the tunnel'), signal);
    await wait(3000, undefined, { signal });
    this.#options.tell('censor', `relents (lab censor ${stop.service} none)`);
    await this.lab.censor(stop.service, 'none');
    await this.#until(stop.service, (outcome) => outcome.endsWith('direct'), signal);
  }

  async #until(service: string, good: (outcome: string) => boolean, signal: AbortSignal): Promise<void> {
    while (!good(this.#seen.get(service) ?? '')) await wait(100, undefined, { signal });
  }
}

/** What happened to one fetch, in words that stay the same while the outcome does. */
export function fetchText({ ok, via, reason, status }: CurlResult): string {
  if (!ok) return `fails: ${reason ?? 'unknown'}${reason === 'status' ? ` ${status}` : ''}`;
  return `works, ${via === undefined || via === 'direct' ? 'direct' : `through the ${via}`}`;
}

/** The events of netsteward's log that a rehearsal shows; everything that is no log line is shown too. */
const eventsShown: ReadonlySet<string> = new Set(['flip', 'warning-raised', 'warning-cleared']);

function eventOf(line: string): string | undefined {
  try {
    const { event } = JSON.parse(line) as { event?: unknown };
    return typeof event === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
}
