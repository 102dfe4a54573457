/** How long each service is out for a client on the LAN: from a block to the first good fetch, by kind of block; and when its exit dies. */
import { setTimeout as wait } from 'node:timers/promises';
import type { CurlWay } from '../src/lab/curl.ts';
import { linkEnd } from '../src/lab/plan.ts';
import type { CensorKind } from '../src/lab/vocabulary.ts';
import { RoutedLab } from '../test/kernel/routed-lab.ts';
import { printTable } from './_figures.ts';

interface Blocked {
  readonly kind: CensorKind;
  readonly scheme: 'http' | 'https';
  /** Whether another route is a way around: what lies about a name lies whichever way its packets take. */
  readonly byRoute: boolean;
}

const kinds: readonly Blocked[] = [
  { kind: 'drop', scheme: 'https', byRoute: true },
  { kind: 'rst', scheme: 'https', byRoute: true },
  { kind: 'icmp', scheme: 'https', byRoute: true },
  { kind: 'sni', scheme: 'https', byRoute: true },
  { kind: 'sni-drop', scheme: 'https', byRoute: true },
  { kind: 'hijack', scheme: 'https', byRoute: true },
  { kind: 'blockpage', scheme: 'http', byRoute: true },
  { kind: 'legal', scheme: 'http', byRoute: true },
  { kind: 'redirect', scheme: 'http', byRoute: true },
  { kind: 'stall', scheme: 'https', byRoute: true },
  { kind: 'cut', scheme: 'https', byRoute: true },
  { kind: 'throttle', scheme: 'https', byRoute: true },
  { kind: 'nxdomain', scheme: 'https', byRoute: false },
];
/** Of each kind so many services: a median of one would say little. */
const each = Number(process.env.EACH ?? 3);
/** Milliseconds after which a service that is still out is given up. */
const patience = Number(process.env.MINUTES ?? 16) * 60_000;
/** Milliseconds between two fetches of one service. */
const pace = 3000;

const services = kinds.flatMap((blocked) =>
  Array.from({ length: each }, (_, index) => ({ ...blocked, name: `${blocked.kind}${index}.example` })),
);
const bystander = 'bystander.example';

const around = linkEnd('router', 'exit');
const second = linkEnd('router', 'exit2');
const inUse = process.env.IN_USE === undefined ? '' : 'in_use = true\n';
const config = `[nbrpc]
check_lists = ["services.list"]
schedule = "prompt"
${inUse}[nbrpc.table]
mark = 0x10000
mask = 0x30000
[[nbrpc.exit]]
name = "first"
source = ["${around.ipv4}", "${around.ipv6}"]
mark = 0x10000
[[nbrpc.exit]]
name = "second"
source = ["${second.ipv4}", "${second.ipv6}"]
mark = 0x20000
`;

interface Out {
  /** Milliseconds; undefined: not within `patience`. */
  readonly lasted: number | undefined;
  readonly via: CurlWay | undefined;
}

/** Fetches until one is good; it counts from `since`. */
async function outage(routed: RoutedLab, name: string, scheme: 'http' | 'https', since: number): Promise<Out> {
  while (Date.now() - since < patience) {
    const asked = Date.now();
    const { ok, via } = await routed.lab.curl(name, { scheme, timeout: 5000 });
    if (ok) return { lasted: asked - since, via };
    await wait(Math.max(0, asked + pace - Date.now()));
  }
  return { lasted: undefined, via: undefined };
}

const clock = (milliseconds: number | undefined): string => {
  if (milliseconds === undefined) return `over ${patience / 60_000} min`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

async function reasonOf(routed: RoutedLab, name: string): Promise<string> {
  const status = await routed.status();
  const detail = status.modules.find((module) => module.name === 'nbrpc')?.health?.detail as
    | { readonly hosts?: readonly { name: string; reason: string; cause: { readonly text: string } | null }[] }
    | undefined;
  const host = detail?.hosts?.find((each) => each.name === name);
  return host?.cause?.text ?? host?.reason ?? '';
}

const specs = [{ name: bystander }, ...services.map(({ name }) => ({ name }))];
const list = services.map(({ name, scheme }) => `${name}:${scheme}=200`).join('\n');
const routed = await RoutedLab.up({
  services: specs,
  checkList: list,
  config,
  set: [
    'nbrpc.schedule="prompt"',
    `nbrpc.control.services=["${bystander}"]`,
    // As in a real configuration; the rehearsal's own are seconds.
    'nbrpc.check.timeout="30s"',
    'nbrpc.timers.host_addrs="7m"',
  ],
});
try {
  for (const { name, scheme } of services) {
    const { ok, via } = await routed.lab.curl(name, { scheme });
    if (!ok || via !== 'direct') throw new Error(`${name} does not work directly before its block`);
  }
  // Until each address was checked once: what is blocked from the start is another story.
  const settle = Number(process.env.SETTLE ?? 600) * 1000;
  const settled = Date.now() + settle;
  while (Date.now() < settled) {
    // The client uses them all the while.
    for (const { name, scheme } of services) await routed.lab.curl(name, { scheme });
    await wait(Math.min(20_000, Math.max(0, settled - Date.now())));
  }

  let bystanderFailed = 0;
  let bystanderFetched = 0;
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) {
      const { ok, via } = await routed.lab.curl(bystander);
      bystanderFetched += 1;
      if (!ok || via !== 'direct') bystanderFailed += 1;
      await wait(pace, undefined, { signal: watching.signal }).catch(() => {});
    }
  })();

  // 4 kB a second, the censor's own way, pass a whole check within its 30 s.
  for (const { name, kind } of services) await routed.lab.censor(name, kind, kind === 'throttle' ? { rate: 1000 } : {});
  const began = Date.now();
  const outages = await Promise.all(services.map(({ name, scheme }) => outage(routed, name, scheme, began)));
  const rows: (readonly string[])[] = [];
  for (const { kind, byRoute } of kinds) {
    const mine = outages.filter((_, index) => services[index]?.kind === kind);
    const lasted = mine.map((out) => out.lasted ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
    const at = (index: number): string => clock(Number.isFinite(lasted[index]) ? lasted[index] : undefined);
    const ways = [...new Set(mine.map(({ via }) => via ?? 'none'))].join(', ');
    const reason = await reasonOf(routed, `${kind}0.example`);
    rows.push([
      kind,
      byRoute ? at(0) : '–',
      byRoute ? at(Math.floor((each - 1) / 2)) : '–',
      byRoute ? at(each - 1) : 'no route helps against it',
      ways,
      reason,
    ]);
  }
  process.stdout.write(
    `${inUse === '' ? '' : 'With `in_use`: '}minutes from a block to the first good fetch, ${each} services of each kind\n\n`,
  );
  printTable(['kind of block', 'first', 'median', 'last', 'goes', 'what netsteward says'], rows);

  // The preferred exit carries nothing any more, with its link still up.
  const cut = 'table inet cut { chain forward { type filter hook forward priority -400; policy drop; }; }';
  const { code, stderr } = await routed.lab.exec('exit', ['nft', '-f', '-'], { stdin: cut });
  if (code !== 0) throw new Error(stderr);
  const died = Date.now();
  const byExit = services.filter(({ byRoute }) => byRoute);
  const failovers = await Promise.all(byExit.map(({ name, scheme }) => outage(routed, name, scheme, died)));
  const times = failovers.map(({ lasted }) => lasted ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const pick = (share: number): string => {
    const time = times[Math.min(times.length - 1, Math.floor(share * times.length))];
    return clock(Number.isFinite(time) ? time : undefined);
  };
  process.stdout.write(`\nThe exit that they all use dies: minutes to the first good fetch through the second\n\n`);
  printTable(['services', 'median', 'p95', 'last'], [[`${times.length}`, pick(0.5), pick(0.95), pick(1)]]);
  watching.abort();
  await watch;
  process.stdout.write(
    `\nA service that nobody blocks, all the while: ${bystanderFailed} of ${bystanderFetched} fetches failed or did not go direct\n`,
  );
} finally {
  await routed.down();
}
