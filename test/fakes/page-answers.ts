/** What a made-up router's status page shows: every state, every kind of reason, on made-up services (documentation addresses). */
import type {
  EventRow,
  Latency,
  NbrpcHead,
  PageState,
  ServiceRow,
  Standing,
  StripState,
  Strips,
} from '../../src/supervisor/page/shapes.ts';
import type { Answers } from './page-server.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export interface Scene {
  readonly now: number;
  /** Services; the first ones are in trouble, one in ten. */
  readonly hosts: number;
  /** Of how many services the state has details; the server's own limit is 200. */
  readonly detailed?: number;
}

export const reasons: readonly string[] = [
  'timeout on connect at 192.0.2.7, and 1 of 2 addresses',
  'TLS: reset on the ClientHello at 192.0.2.11',
  'status 403, expected 200 at 198.51.100.3',
  'nxdomain',
  'transfer: frozen after 16 kB at 203.0.113.9',
  'certificate of another name at 192.0.2.80',
];

export const hostName = (index: number): string =>
  `${['news', 'video', 'mail', 'maps', 'chat', 'wiki', 'cdn', 'api'][index % 8]}${index}.example`;

/** A number from 0 to 1 that is always the same for the same place. */
function chance(...place: readonly number[]): number {
  let value = 2166136261;
  for (const part of place) value = Math.imul(value ^ part, 16777619) ^ (value >>> 13);
  return ((value >>> 0) % 10_007) / 10_007;
}

/** The one that no exit works for, and that must not go direct. */
const droppedIndex = 35;

export function stateOfHost(index: number, scene: Scene): ServiceRow {
  const row = rowOfHost(index, scene);
  if (index !== droppedIndex) return row;
  const [first, ...others] = row.addresses;
  if (first === undefined) return row;
  const text = 'TLS: reset on the ClientHello; the same address answers to another name, so it is the name (SNI)';
  const reason = `tls reset at ${first.address}`;
  return {
    ...row,
    standing: 'dropped',
    state: 'na',
    exit: '',
    reason,
    cause: { kind: 'tls', code: 'sni', text },
    failingSince: scene.now - 2 * hour,
    addresses: [{ ...first, state: 'na', reason, exitReason: 'timeout on connect' }, ...others],
  };
}

function rowOfHost(index: number, { now }: Scene): ServiceRow {
  const trouble = index % 10 === 0 ? (index / 10) % 5 : -1;
  const standing: Standing = trouble < 0 ? 'ok' : trouble <= 1 ? 'rerouted' : trouble <= 3 ? 'failing' : 'unresolved';
  const reason = trouble < 0 ? '' : trouble === 4 ? (reasons[3] ?? '') : (reasons[(index / 10) % reasons.length] ?? '');
  return {
    id: hostName(index),
    standing,
    policy: 'af-all',
    check: 'https',
    state: trouble < 0 ? 'ok' : trouble === 3 ? 'unstable' : trouble === 4 ? 'unknown' : 'failing',
    since: now - Math.round(chance(index, 1) * 5 * day),
    failingSince: trouble < 0 || trouble === 4 ? null : now - Math.round(chance(index, 2) * 7 * hour),
    reason,
    exit: standing === 'rerouted' ? (trouble === 0 ? 'fra' : 'ams') : null,
    resolved: now - 3 * minute,
    checked: now - 2 * minute,
    addresses: [0, 1, 2].map((part) => ({
      address: part === 2 ? `2001:db8::${index}:${part}` : `192.0.2.${((index * 3 + part) % 250) + 1}`,
      state: trouble >= 0 && part === 0 ? 'na' : 'ok',
      reason: trouble >= 0 && part === 0 ? reason : '',
      checked: now - 2 * minute,
      changed: now - 5 * hour,
      inDns: part !== 1,
      exitReason: trouble === 3 ? 'timeout on connect' : null,
      rerouted: standing === 'rerouted' && part === 0,
    })),
    moreAddresses: 0,
  };
}

export function pageState(scene: Scene): PageState {
  const { now, hosts, detailed = hosts } = scene;
  const all = Array.from({ length: hosts }, (_, index) => stateOfHost(index, scene));
  const byStanding: Record<Standing, number> = {
    dropped: 0,
    rerouted: 0,
    failing: 0,
    unchecked: 0,
    unresolved: 0,
    waiting: 0,
    ok: 0,
  };
  for (const { standing } of all) byStanding[standing] += 1;
  const services = [...all].sort((a, b) => rank(a.standing) - rank(b.standing)).slice(0, detailed);
  const nbrpc: NbrpcHead = {
    total: hosts,
    more: hosts - services.length,
    byStanding,
    blocked: byStanding.rerouted,
    lastPass: now - 3 * minute,
    nextPass: now + minute,
    firstPass: null,
    exits: [
      { name: 'fra', works: true, reason: '', latency: 31.4, since: now - 3 * day, hosts: 2, addresses: 5 },
      { name: 'ams', works: true, reason: '', latency: 44.9, since: now - 26 * hour, hosts: 1, addresses: 2 },
      {
        name: 'home',
        works: false,
        reason: 'timeout on connect',
        latency: null,
        since: now - 42 * minute,
        hosts: 0,
        addresses: 0,
      },
    ],
    reactions: {
      byKind: {
        reroute: { count: 14, median: 71.4, worst: 214 },
        release: { count: 12, median: 1891, worst: 3720 },
        'fail-over': { count: 1, median: 38, worst: 38 },
      },
      last: [
        { at: now - 2 * minute, kind: 'reroute', host: hostName(0), took: 64.2 },
        { at: now - 3 * hour, kind: 'fail-over', host: hostName(50), took: 38 },
        { at: now - 5 * hour, kind: 'release', host: hostName(70), took: 1891 },
      ],
    },
  };
  return {
    at: now,
    service: {
      version: '0.1.0',
      state: 'running',
      ready: true,
      startedAt: now - 12 * day,
      config: '/etc/netsteward/netsteward.toml',
      lastReload: { at: now - 2 * day, ok: true, problems: [] },
    },
    access: { reading: 'open', check: 'token', why: 'The token is in the file that page.token_file names.' },
    modules: [
      moduleRow('nbrpc', now, `${byStanding.rerouted} of ${hosts} services rerouted`),
      moduleRow('cgroup-nft', now, '2 units, 5 rules in force'),
      moduleRow('dyndns', now, '2 names, 1 zone'),
      moduleRow('dnstest', now, '1 of 2 resolvers fails'),
    ],
    warnings: [
      {
        id: 'resolver-failing 192.0.2.53',
        code: 'resolver-failing',
        subject: '192.0.2.53',
        severity: 'error',
        text: 'the resolver 192.0.2.53 fails: no answer within 5 s',
        remedy: 'Look at its log; the cures of [[dnstest.resolver]] are being tried.',
        since: now - 20 * minute,
      },
      {
        id: 'check-list-missing /etc/netsteward/guests.list',
        code: 'check-list-missing',
        subject: '/etc/netsteward/guests.list',
        severity: 'warning',
        text: '/etc/netsteward/guests.list does not exist: an empty list',
        remedy: 'Create the file, or take it out of nbrpc.check_lists.',
        since: now - 3 * day,
      },
    ],
    nbrpc,
    services,
    ...sideLists(now),
  };
}

const rank = (standing: Standing): number =>
  ['dropped', 'rerouted', 'failing', 'unchecked', 'unresolved', 'waiting', 'ok'].indexOf(standing);

const moduleRow = (id: string, now: number, summary: string): PageState['modules'][number] => ({
  id,
  state: 'running',
  since: now - 12 * day,
  restarts: 0,
  lastError: null,
  summary,
});

type SideLists = Pick<PageState, 'units' | 'cgroupNft' | 'names' | 'dyndns' | 'resolvers' | 'dnstest'>;

function sideLists(now: number): SideLists {
  return {
    cgroupNft: { more: 0, waiting: ['backup.service (/etc/nftables.conf:88)'], table: 'inet filter', journal: 'read' },
    units: [
      {
        id: 'system.slice/postfix.service',
        unit: 'postfix.service',
        groups: ['mail'],
        rules: ['/etc/nftables.conf:41'],
        lacking: [],
        since: now - 12 * day,
        margin: 9.4,
        counters: [
          { of: 'group mail', packets: 120_933, bytes: 88_123_004 },
          { of: '/etc/nftables.conf:41', packets: 431, bytes: 51_222 },
        ],
      },
      {
        id: 'system.slice/torrent.service',
        unit: 'torrent.service',
        groups: [],
        rules: ['/etc/nftables.conf:44'],
        lacking: ['/etc/nftables.conf:44'],
        since: null,
        margin: null,
        counters: [],
      },
    ],
    dyndns: { listening: '[::]:5533', total: 2, packets: { accepted: 811, 'wrong signature': 3 } },
    names: [
      {
        id: 'home.example.org 192.0.2.77',
        zone: '/etc/tinydns/root/data',
        name: 'home.example.org',
        address: '192.0.2.77',
        keys: ['k3Jq'],
        heardAt: now - 4 * minute,
      },
      {
        id: 'boat.example.org 2001:db8::17',
        zone: '/etc/tinydns/root/data',
        name: 'boat.example.org',
        address: '2001:db8::17',
        keys: ['9xAe'],
        heardAt: null,
      },
    ],
    dnstest: { name: '@.test.example.org', serves: null, bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
    resolvers: [
      {
        id: '127.0.0.1',
        phase: 'well',
        failingSince: null,
        reason: null,
        latency: 11.2,
        checks: 5760,
        histogram: [0, 0, 12, 900, 4100, 700, 44, 2, 0, 0, 0],
        failures: { timeout: 2 },
        cures: ['flush', 'restart'],
        tried: 0,
        restUntil: null,
      },
      {
        id: '192.0.2.53',
        phase: 'failing',
        failingSince: now - 20 * minute,
        reason: 'no answer within 5 s',
        latency: null,
        checks: 5760,
        histogram: [0, 0, 12, 900, 4100, 700, 44, 2, 0, 0, 0],
        failures: { timeout: 211, servfail: 12, 'wrong answer': 1 },
        cures: ['flush', 'restart'],
        tried: 1,
        restUntil: now + 4 * minute,
      },
    ],
  };
}

/** About `changes` a month and service, more where it is in trouble now; each ends with how it is now. */
export function strips(scene: Scene, days: number, changes = 12): Strips {
  const { now, hosts } = scene;
  const today = Math.floor(now / day) * day;
  const since = today - (days - 1) * day;
  const end = Math.floor((now - since) / minute);
  const states: readonly StripState[] = ['unknown', 'direct', 'failing', 'tunnelled', 'down', 'dropped'];
  const texts = ['', ...reasons, 'netsteward was off', 'no exit works for it'];
  const list = Array.from({ length: hosts }, (_, index) => {
    const row = stateOfHost(index, scene);
    const intervals = chance(index, 3) < 0.06 ? [0, 0, 7] : [0, 1, 0];
    const count = Math.round((changes * days) / 30);
    for (let k = 0; k < count; k += 1) {
      const start = Math.round(((k + 0.1 + chance(index, k, 4) * 0.6) / count) * end);
      const kind = 1 + Math.floor(chance(index, k, 5) * reasons.length);
      const takes = Math.round(20 + chance(index, k, 6) * 900);
      const last = Math.round(((k + 0.9) / count) * end);
      intervals.push(start, chance(index, k, 7) < 0.08 ? 4 : 2, kind);
      if (start + takes < last) intervals.push(start + takes, 3, kind);
      if (start + takes * 3 < last) intervals.push(start + takes * 3, 1, 0);
      else intervals.push(last, 1, 0);
    }
    const nowState =
      row.standing === 'rerouted' ? 3 : row.standing === 'failing' ? (row.state === 'unstable' ? 4 : 2) : 1;
    if (row.standing === 'dropped') intervals.push(end - 200, 3, 2, end - 40, 5, 8);
    else if (row.standing === 'unresolved') intervals.push(end - 5, 0, 4);
    else if (nowState !== 1) intervals.push(Math.max(1, end - 90), nowState, texts.indexOf(row.reason));
    return { host: row.id, intervals: ordered(intervals) };
  });
  return { since, days, states, reasons: texts, strips: list, more: 0, problem: '' };
}

/** Without those that begin before the one before them. */
function ordered(flat: readonly number[]): readonly number[] {
  const kept: number[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    if (i === 0 || (flat[i] ?? 0) > (kept.at(-3) ?? -1)) kept.push(...flat.slice(i, i + 3));
  }
  return kept;
}

export function latency(now: number, resolver: string, hours: number): Latency {
  const step = hours <= 24 ? 600 : hours <= 168 ? 3600 : 4 * 3600;
  const slots = Math.floor((hours * 3600) / step);
  const first = Math.floor(now / 1000 / step - slots) * step;
  const failing = resolver === '192.0.2.53';
  const index = Array.from({ length: slots }, (_, slot) => slot);
  const wave = (slot: number): number => 9 + 5 * Math.sin(slot / 14) + chance(slot, 9) * 4;
  const off = (slot: number): boolean => failing && slot > slots - 4;
  return {
    resolver,
    times: index.map((slot) => first + slot * step),
    step,
    median: index.map((slot) => (off(slot) ? null : wave(slot))),
    p95: index.map((slot) => (off(slot) ? null : wave(slot) * (2 + chance(slot, 8) * 5))),
    answers: index.map((slot) => (off(slot) ? 0 : 4)),
    failures: failing ? { timeout: index.map((slot) => (off(slot) || chance(slot, 11) > 0.95 ? 4 : 0)) } : {},
    problem: '',
  };
}

export function events(now: number): readonly EventRow[] {
  const row = (before: number, module: string, code: string, subject: string, text: string): EventRow => ({
    at: now - before,
    module,
    code,
    subject,
    text: `${subject}${text}`,
  });
  return [
    row(
      2 * minute,
      'nbrpc',
      'service-rerouted',
      hostName(0),
      ' goes through the tunnel: timeout on connect at 192.0.2.7',
    ),
    row(9 * minute, 'nbrpc', 'service-failing', hostName(20), ' fails on the direct route: tls reset at 192.0.2.11'),
    row(20 * minute, 'dnstest', 'resolver-failing', '192.0.2.53', ': no answer within 5 s'),
    row(hour, 'dyndns', 'name-moved', 'home.example.org', ' moved from 192.0.2.70 to 192.0.2.77, by key k3Jq'),
    row(3 * hour, 'cgroup-nft', 'unit-rules-applied', 'postfix.service', ': the rules are in the kernel'),
  ];
}

export function answers(scene: Scene): Answers {
  return {
    state: pageState(scene),
    strips: (days) => strips(scene, days),
    latency: (resolver, hours) => latency(scene.now, resolver, hours),
    events: events(scene.now),
  };
}
