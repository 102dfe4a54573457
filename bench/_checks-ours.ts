/** netsteward's side of bench/checks.ts, a process of its own: the checks run in a worker thread with the heap limits that nbrpc gets. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { systemClock } from '../src/core/clock.ts';
import { LinuxHttpProbe } from '../src/system/linux/http-probe.ts';
import { TrustStore } from '../src/system/linux/trust-store.ts';

export interface Job {
  readonly port: number;
  /** PEM file; absent: the system's bundle. */
  readonly bundle?: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** The same checks again and again, in one process. */
  readonly passes: number;
  readonly checks: readonly { readonly host: string; readonly address: string }[];
}

/** Of one pass. */
export interface Report {
  /** Milliseconds. */
  readonly wall: number;
  /** Milliseconds of CPU of the whole process while it checked. */
  readonly cpu: number;
  /** Of the whole process, from its start. */
  readonly peakMegabytes: number;
  readonly answers: number;
  readonly failures: number;
  /** Milliseconds until the last verdict. */
  readonly lastVerdict: number;
  readonly within8s: number;
}

/** A small young generation and a bounded old one: V8 collects sooner, the whole process stays 50 MB smaller. */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };

async function allPasses(job: Job): Promise<Report[]> {
  const before = process.cpuUsage();
  const trust = new TrustStore(job.bundle === undefined ? {} : { bundles: [job.bundle] }, systemClock);
  const probe = new LinuxHttpProbe({ clock: systemClock, trust, ports: { http: 80, https: job.port } });
  const reports = [await pass(job, probe, before)];
  while (reports.length < job.passes) reports.push(await pass(job, probe, process.cpuUsage()));
  return reports;
}

async function pass(job: Job, probe: LinuxHttpProbe, before: NodeJS.CpuUsage): Promise<Report> {
  const { signal } = new AbortController();
  const start = performance.now();
  let answers = 0;
  let failures = 0;
  let lastVerdict = 0;
  let within8s = 0;
  await Promise.all(
    job.checks.map(async ({ host, address }) => {
      const { timeout } = job;
      const outcome = await probe.probe(
        { scheme: 'https', host, address, path: '/', timeout, bodyLimit: 65_536 },
        signal,
      );
      lastVerdict = performance.now() - start;
      if (lastVerdict <= 8000) within8s++;
      if (outcome.kind === 'answer' && outcome.status === 200) answers++;
      else failures++;
    }),
  );
  const used = process.cpuUsage(before);
  return {
    wall: performance.now() - start,
    cpu: (used.user + used.system) / 1000,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    answers,
    failures,
    lastVerdict,
    within8s,
  };
}

if (!isMainThread) {
  parentPort?.postMessage(await allPasses(workerData as Job));
} else if (process.send !== undefined) {
  process.once('message', (job) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job, resourceLimits });
    worker.once('message', (reports) => process.send?.(reports, () => process.disconnect()));
  });
}
