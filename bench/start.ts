/** What it takes to start: `netsteward --help` beside a bare Node, `netsteward run` to ready in the lab, and the memory it then holds. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Rehearsal } from '../src/lab/rehearsal.ts';
import { ms, printTable, quantile } from './_figures.ts';

const mainJs = fileURLToPath(new URL('../src/main.js', import.meta.url));
const runs = 21;

function timed(action: () => void): number {
  const start = process.hrtime.bigint();
  action();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** The two commands take turns, so that both see the same machine. */
function commandStarts(): { bare: number[]; help: number[] } {
  const times = { bare: [] as number[], help: [] as number[] };
  for (let run = 0; run < runs; run++) {
    times.bare.push(timed(() => execFileSync(process.execPath, ['-e', '0'])));
    times.help.push(timed(() => execFileSync(process.execPath, [mainJs, '--help'])));
  }
  return times;
}

interface Memory {
  readonly name: string;
  /** kB, as in /proc/PID/status (proc(5)): all of it, and the part that is mapped files, mostly Node's own binary. */
  readonly resident: number;
  readonly file: number;
}

/** The processes of netsteward in the lab, found by their command lines. */
function memoryOf(pattern: RegExp): Memory[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const name = pattern.exec(command.slice(0, 4).join(' '))?.[1];
        if (name === undefined || !command[0]?.includes('node') || !command[1]?.endsWith('main.js')) return [];
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const kilobytes = (field: string): number =>
          Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
        return [{ name, resident: kilobytes('VmRSS'), file: kilobytes('RssFile') }];
      } catch {
        return [];
      }
    });
}

/** One start in a fresh lab: milliseconds from the command to "ready", and memory ten seconds later. */
async function serviceStart(): Promise<{ ready: number; memory: Memory[] }> {
  const folder = mkdtempSync('/tmp/netsteward-bench-');
  const before = new Set(memoryOf(/ (run|nft-agent) /).map(({ name }) => name));
  if (before.size > 0) throw new Error('another netsteward runs on this machine; the figures would mix');
  const rehearsal = await Rehearsal.start({
    stateDir: join(folder, 'lab'),
    config: 'netsteward.example.toml',
    mainJs,
    tour: false,
    tell: () => {},
    logLine: (line) => line,
  });
  try {
    const end = new AbortController();
    const playing = rehearsal.play(end.signal);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const memory = memoryOf(/ (run|nft-agent) /);
    end.abort();
    await playing;
    return { ready: rehearsal.startMs, memory };
  } finally {
    await rehearsal.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const { bare, help } = commandStarts();
const starts: { ready: number; memory: Memory[] }[] = [];
for (let run = 0; run < 5; run++) starts.push(await serviceStart());
const ready = starts.map((start) => start.ready);
const resident = (name: string): number[] =>
  starts.map(({ memory }) => sum(memory.filter((each) => each.name === name).map((each) => each.resident)));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const total = starts.map(({ memory }) => sum(memory.map((each) => each.resident)));
/** Both map the same Node binary: the machine holds it once. */
const once = starts.map(
  ({ memory }) => sum(memory.map((each) => each.resident - each.file)) + Math.max(...memory.map((each) => each.file)),
);
const mb = (values: readonly number[]): string => `${(quantile(values, 0.5) / 1024).toFixed(1)} MB`;

printTable(
  ['what', 'p50', 'p95', 'against bare node'],
  [
    ['`node -e 0`', ms(quantile(bare, 0.5)), ms(quantile(bare, 0.95)), '1×'],
    [
      '`netsteward --help`',
      ms(quantile(help, 0.5)),
      ms(quantile(help, 0.95)),
      `${(quantile(help, 0.5) / quantile(bare, 0.5)).toFixed(2)}×`,
    ],
    [
      '`netsteward run` to ready (agent started, table made, state applied)',
      ms(quantile(ready, 0.5)),
      ms(quantile(ready, 0.95)),
      `${(quantile(ready, 0.5) / quantile(bare, 0.5)).toFixed(2)}×`,
    ],
  ],
);
printTable(
  ['resident after start and ten passes (3 services, 12 addresses)', 'p50'],
  [
    ['supervisor with nbrpc', mb(resident('run'))],
    ['nft-agent', mb(resident('nft-agent'))],
    ['both, as `ps` adds them up', mb(total)],
    ['both, mapped files counted once', mb(once)],
  ],
);
