/** The status page in Chromium with 1000 services and 30 days of history. Goals: first paint under 1 s, a live update under 16 ms of main-thread time. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import type { ServiceRow, StatePatch } from '../src/supervisor/page/shapes.ts';
import { answers, stateOfHost } from '../test/fakes/page-answers.ts';
import { PageServer } from '../test/fakes/page-server.ts';
import { ms, printTable, quantile } from './_figures.ts';
import { startOwn } from './_page-own.ts';

const hosts = 1000;
const runs = 7;
const updates = 40;
const now = Date.now();
const scene = { now, hosts };
const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'web');

/** Since the navigation began, milliseconds. */
interface Loaded {
  readonly paint: number;
  readonly strips: number;
  readonly all: number;
}

/** Before the page's own scripts: when the first strips are drawn, and when every row is there; each with the frame that shows it. */
const watch = `(() => {
  window.seen = {};
  const note = (name) => {
    if (window.seen[name] === undefined) {
      window.seen[name] = null;
      requestAnimationFrame(() => requestAnimationFrame(() => { window.seen[name] = performance.now(); }));
    }
  };
  let asked = false;
  new MutationObserver(() => {
    const period = document.getElementById('period');
    if (period !== null && period.options.length === 4 && !asked) {
      asked = true;
      period.value = '720';
    }
    if (document.querySelector('.host canvas') !== null) note('strips');
    if (document.querySelectorAll('.host').length >= ${hosts}) note('all');
  }).observe(document, { childList: true, subtree: true });
})()`;

async function open(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(url);
  await until(page, "typeof window.seen.all === 'number' && typeof window.seen.strips === 'number'");
  return page;
}

/** The page's policy forbids playwright's own way to wait for a script's word: eval. */
async function until(page: Page, script: string): Promise<void> {
  while (!(await page.evaluate<boolean>(script))) await page.waitForTimeout(100);
}

async function loads(browser: Browser, url: string): Promise<readonly Loaded[]> {
  const found: Loaded[] = [];
  for (let run = 0; run < runs; run += 1) {
    const page = await open(browser, url);
    const paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime";
    found.push(await page.evaluate<Loaded>(`({ paint: ${paint}, strips: window.seen.strips, all: window.seen.all })`));
    await page.context().close();
  }
  return found;
}

/** `timeTicks`: the clock; `threadTicks`: what the main thread itself has used of a processor, whoever else needs one. */
async function metrics(page: Page, timeDomain: 'timeTicks' | 'threadTicks'): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain });
  return session;
}

/** Seconds that the page's main thread has worked so far: scripts, style, layout, paint. */
async function worked(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
}

interface Updates {
  readonly script: readonly number[];
  /** All of the main thread's work, milliseconds for each update. */
  readonly all: readonly number[];
  /** The same, of a processor's time. */
  readonly processor: readonly number[];
}

/** Milliseconds until an update is on the screen for sure; to ask the page whether it is would be work of its own. */
const settled = 250;

async function live(server: PageServer, page: Page, changed: number): Promise<Updates> {
  const clock = await metrics(page, 'timeTicks');
  const processor = await metrics(page, 'threadTicks');
  await page.evaluate("performance.clearMeasures('netsteward-update')");
  const found: { readonly all: number; readonly processor: number }[] = [];
  for (let update = 1; update <= updates; update += 1) {
    const before = [await worked(clock), await worked(processor)] as const;
    server.send('state', patch(changed, update));
    await page.waitForTimeout(settled);
    const after = [await worked(clock), await worked(processor)] as const;
    found.push({ all: (after[0] - before[0]) * 1000, processor: (after[1] - before[1]) * 1000 });
  }
  await until(page, `performance.getEntriesByName('netsteward-update').length >= ${updates}`);
  const script = await page.evaluate<number[]>(
    "performance.getEntriesByName('netsteward-update').map(({ duration }) => duration)",
  );
  return { script, all: found.map(({ all }) => all), processor: found.map((each) => each.processor) };
}

/** The first `changed` services, which are those on the screen, and all others after them; every other time they change their state. */
function patch(changed: number, round: number): StatePatch {
  const put = Array.from({ length: changed }, (_, index): ServiceRow => {
    const row = stateOfHost(index * 10 < hosts ? index * 10 : index, scene);
    const standing = round % 2 === 0 ? row.standing : row.standing === 'rerouted' ? 'failing' : 'rerouted';
    return { ...row, standing, since: now + round * 1000, checked: now + round * 1000 };
  });
  return { at: now + round * 1000, full: false, services: { put, gone: [] } };
}

const made = answers(scene);
const month = made.strips(31);
function printLoads(name: string, times: readonly Loaded[]): void {
  const line = (what: string, goal: string, values: readonly number[]): readonly string[] => [
    what,
    ms(values[0] ?? Number.NaN),
    ms(quantile(values, 0.5)),
    ms(Math.max(...values)),
    goal,
  ];
  const of = (key: keyof Loaded): readonly number[] => times.map((each) => each[key]);
  printTable(
    [`load ${times.length} times, ${name}`, 'first ms', 'median ms', 'worst ms', 'goal'],
    [
      line('first contentful paint', 'under 1000', of('paint')),
      line('first strips on the screen', 'under 1000', of('strips')),
      line(`all ${hosts} rows in the document`, '', of('all')),
    ],
  );
  process.stdout.write('\n');
}

const server = new PageServer(folder, { ...made, strips: () => month });
await server.start();
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
const size = JSON.stringify(month).length;
process.stdout.write(
  `${hosts} services, 30 days (${Math.round(size / 1000)} kB of strips), Chromium ${browser.version()}, a made-up server on loopback\n\n`,
);
const loaded = await loads(browser, server.url);
printLoads('a made-up server', loaded);
const own = await startOwn(hosts, 30);
try {
  printLoads("netsteward's own, its history read from the disk the first time", await loads(browser, own.url));
} finally {
  await own.stop();
}
const page = await open(browser, server.url);
const rows: (readonly string[])[] = [];
for (const changed of [0, 1, 20, 200]) {
  const { script, all, processor } = await live(server, page, changed);
  const name =
    changed === 0
      ? 'no service changes'
      : `${changed} ${changed === 1 ? 'changes its state and moves' : 'change their state and move'}`;
  rows.push([
    name,
    ms(quantile(script, 0.5)),
    ms(quantile(script, 0.95)),
    ms(quantile(all, 0.5)),
    ms(quantile(all, 0.95)),
    ms(quantile(processor, 0.5)),
    ms(quantile(processor, 0.95)),
  ]);
}
printTable(
  [
    `live update, ${updates} times (goal: under 16 ms)`,
    'script p50 ms',
    'script p95 ms',
    'all p50 ms',
    'all p95 ms',
    'all, processor p50 ms',
    'all, processor p95 ms',
  ],
  rows,
);
process.stdout.write(
  "\nall: the main thread's whole work for it: parsing, script, style, layout, paint, and the bench's own look (first row); processor: without waiting for one\n",
);
await browser.close();
await server.stop();
