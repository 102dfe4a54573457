/** Metrics: true values of each part, conventions of Prometheus, and documentation, dashboard and alerts that name what exists. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { metricsOf as unitMetrics } from '../../../src/cgroup-nft/metrics.ts';
import type { UnitEntry } from '../../../src/cgroup-nft/status.ts';
import { allMetrics, moduleMetrics } from '../../../src/cli/metrics-modules.ts';
import { metricsReference } from '../../../src/cli/metrics-reference.ts';
import { type Metric, type MetricDefinition, measured, mostSamples } from '../../../src/core/metrics.ts';
import type { ModuleName } from '../../../src/core/module.ts';
import { metricsOf as resolverMetrics } from '../../../src/dnstest/metrics.ts';
import { metricsOf as nameMetrics } from '../../../src/dyndns/metrics.ts';
import { metricsOf as serviceMetrics } from '../../../src/nbrpc/metrics.ts';
import { ReactionTimes } from '../../../src/nbrpc/reaction-times.ts';
import type { HostStatus } from '../../../src/nbrpc/status.ts';
import { renderMetrics, renderText } from '../../../src/supervisor/metrics-render.ts';
import type { StatusReport } from '../../../src/supervisor/status-report.ts';
import { checkout } from '../../checkout.ts';

const evil = 'a"b\\c\nd{}, \x1b[31m';

const host = (name: string, rerouted: boolean): HostStatus => ({
  name,
  standing: rerouted ? 'rerouted' : 'ok',
  policy: 'af-all',
  check: 'https',
  state: rerouted ? 'na' : 'ok',
  since: 1000,
  failingSince: null,
  reason: '',
  cause: null,
  resolved: 1000,
  addresses: [],
  moreAddresses: 0,
  rerouted,
  exit: null,
});

const reactions = new ReactionTimes();
for (const took of [20, 70, 5000]) reactions.add({ at: 0, kind: 'reroute', host: 'video.example', took });

const nbrpc = {
  hosts: [host('video.example', true), host('news.example', false), host(evil, true)],
  moreHosts: 0,
  total: 3,
  byStanding: { dropped: 0, rerouted: 2, failing: 0, unchecked: 0, unresolved: 0, waiting: 0, ok: 1 },
  byState: { ok: 1, failing: 0, unstable: 0, na: 2, unknown: 0 },
  byCause: { name: 0, connect: 0, tls: 2, http: 0, transfer: 0 },
  rerouted: 2,
  blocked: 7,
  lastPass: 1_700_000_000_000,
  nextPass: null,
  exits: [{ name: 'wg0', works: true, reason: '', latency: 250, since: null, hosts: 1, addresses: 7 }],
  reactions: reactions.told,
  firstPass: null,
  inUse: 4,
  sets: { connections: { dropped: 2 } },
};

const unit = (path: string, packets: number, margin: number | null): UnitEntry => ({
  path,
  id: '1',
  groups: [],
  rules: [],
  lacking: packets === 0 ? ['f:1'] : [],
  since: 1,
  margin,
  counters: [{ of: 'group mail', packets, bytes: packets * 100 }],
});

const units = {
  entries: [
    unit('user.slice/user-1.slice/app.service', 3, 12),
    unit('user.slice/user-2.slice/app.service', 4, -2),
    unit('system.slice/idle.service', 0, null),
  ],
  more: 1,
  waiting: ['x.service (f:2)'],
  table: null,
  tableName: 't',
  watches: 9,
  journal: 'lost',
} as const;

const names = {
  listening: '[::]:5533',
  names: [
    { zone: 'z', name: 'home.example', address: '192.0.2.1', keys: ['k'], heardAt: 5000 },
    { zone: 'z', name: 'home.example', address: '192.0.2.2', keys: ['l'], heardAt: 9000 },
    { zone: 'z', name: 'home.example', address: '2001:db8::1', keys: ['k'] },
  ],
  nameCount: 3,
  packets: { received: 5, accepted: 2, 'bad-signature': 3 },
};

const resolvers = {
  name: 'n',
  serve: { zones: [], at: ['192.0.2.1:53'], answered: { udp: 5, tcp: 1 }, silent: 2 },
  bounds: [1],
  resolvers: [
    {
      resolver: 'local',
      phase: 'failing',
      failingSince: 1,
      reason: 'timeout',
      latency: 2500,
      checks: 10,
      histogram: [1, 2],
      sum: 3001,
      failures: { timeout: 7 },
      cures: [],
      tried: 0,
      restUntil: null,
      switched: [],
    },
  ],
  history: [],
} as const;

const details: Readonly<Record<ModuleName, unknown>> = {
  nbrpc,
  'cgroup-nft': units,
  dyndns: names,
  dnstest: resolvers,
  page: undefined,
};

/** Of a service with all modules, one of which has just crashed, and with a reload behind it. */
function report(changed: Partial<Record<ModuleName, unknown>> = {}): StatusReport {
  const warning = {
    code: 'own-side-broken',
    subject: '',
    severity: 'error',
    text: 't',
    remedy: 'r',
    since: 1,
  } as const;
  return {
    version: '1.2.3',
    pid: 1,
    config: 'n.toml',
    state: 'running',
    ready: false,
    startedAt: 1_600_000_000_000,
    now: 1_700_000_000_000,
    modules: (Object.keys(details) as ModuleName[]).map((name) => ({
      name,
      state: name === 'dyndns' ? 'waiting' : 'running',
      since: 1,
      restarts: name === 'dyndns' ? 4 : 0,
      lastError: undefined,
      health: { ready: true, summary: 's', warnings: [], detail: name in changed ? changed[name] : details[name] },
    })),
    warnings: [warning, { ...warning, subject: 'other' }],
    lastReload: { at: 1_650_000_000_000, ok: true, problems: [], took: 250 },
  };
}

const rendered = (status: StatusReport): Promise<string> =>
  renderMetrics({
    status: async () => status,
    feed: { counts: () => [{ module: 'nbrpc', code: 'service-rerouted', count: 5 }] },
    loop: { worst: 30 },
    figures: () => ({ resident: 123_000_000, cpu: 1.5 }),
    modules: moduleMetrics,
  });

const valuesOf = (metrics: readonly Metric[]): Record<string, unknown> =>
  Object.fromEntries(
    metrics.flatMap(({ name, samples }) =>
      samples.map(({ labels, value }) => [
        `${name}${Object.values(labels)
          .map((label) => ` ${label}`)
          .join('')}`,
        value,
      ]),
    ),
  );

test('nbrpc: services by standing, those in the tunnel by name, and no time for a pass that is not planned', () => {
  const values = valuesOf(serviceMetrics(nbrpc));
  assert.equal(values['netsteward_nbrpc_services rerouted'], 2);
  assert.equal(values['netsteward_nbrpc_service_states na'], 2);
  assert.equal(values['netsteward_nbrpc_service_causes tls'], 2);
  assert.equal(values['netsteward_nbrpc_service_causes name'], 0);
  assert.equal(values['netsteward_nbrpc_exit_up wg0'], 1);
  assert.equal(values['netsteward_nbrpc_exit_addresses wg0'], 7);
  assert.equal(values['netsteward_nbrpc_exit_check_seconds wg0'], 0.25);
  assert.equal(values['netsteward_nbrpc_service_rerouted video.example'], 1);
  assert.ok(!('netsteward_nbrpc_service_rerouted news.example' in values));
  assert.equal(values.netsteward_nbrpc_rerouted_addresses, 7);
  assert.equal(values.netsteward_nbrpc_last_pass_timestamp_seconds, 1_700_000_000);
  assert.ok(!('netsteward_nbrpc_next_pass_timestamp_seconds' in values));
});

test('nbrpc: reaction times as a histogram by kind', async () => {
  const text = await renderText(serviceMetrics(nbrpc));
  for (const line of [
    'netsteward_nbrpc_reaction_seconds_bucket{kind="reroute",le="30"} 1',
    'netsteward_nbrpc_reaction_seconds_bucket{kind="reroute",le="120"} 2',
    'netsteward_nbrpc_reaction_seconds_bucket{kind="reroute",le="3600"} 2',
    'netsteward_nbrpc_reaction_seconds_bucket{kind="reroute",le="+Inf"} 3',
    'netsteward_nbrpc_reaction_seconds_sum{kind="reroute"} 5090',
    'netsteward_nbrpc_reaction_seconds_count{kind="release"} 0',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line}\n${text}`);
  }
  const { reactions: _, ...original } = nbrpc;
  assert.doesNotMatch(await renderText(serviceMetrics(original)), /reaction_seconds_/);
});

test('cgroup-nft: units of one name are added up, and the worst margin is told', () => {
  const values = valuesOf(unitMetrics(units));
  assert.equal(values.netsteward_cgroup_nft_cgroups, 4);
  assert.equal(values.netsteward_cgroup_nft_lacking_cgroups, 1);
  assert.equal(values['netsteward_cgroup_nft_unit_packets_total app.service group mail'], 7);
  assert.equal(values['netsteward_cgroup_nft_unit_bytes_total app.service group mail'], 700);
  assert.equal(values.netsteward_cgroup_nft_least_margin_seconds, -0.002);
  assert.equal(values.netsteward_cgroup_nft_journal_lost, 1);
});

test('dyndns: the newest packet of a name counts, and what was received is no outcome', () => {
  const values = valuesOf(nameMetrics(names));
  assert.equal(values['netsteward_dyndns_name_heard_timestamp_seconds home.example 4'], 9);
  assert.ok(!('netsteward_dyndns_name_heard_timestamp_seconds home.example 6' in values));
  assert.equal(values.netsteward_dyndns_packets_received_total, 5);
  assert.equal(values['netsteward_dyndns_packets_total bad-signature'], 3);
  assert.ok(!('netsteward_dyndns_packets_total received' in values));
});

test('dnstest: which resolver fails, how long its last check took, and failures by kind', () => {
  const values = valuesOf(resolverMetrics(resolvers));
  assert.equal(values['netsteward_dnstest_resolver_failing local'], 1);
  assert.equal(values['netsteward_dnstest_last_check_duration_seconds local'], 2.5);
  assert.equal(values['netsteward_dnstest_check_failures_total local timeout'], 7);
});

test('dnstest: right answers as a histogram, whose buckets count those below them', async () => {
  const text = await rendered(report());
  for (const line of [
    '# TYPE netsteward_dnstest_right_answer_duration_seconds histogram',
    'netsteward_dnstest_right_answer_duration_seconds_bucket{resolver="local",le="0.001"} 1',
    'netsteward_dnstest_right_answer_duration_seconds_bucket{resolver="local",le="+Inf"} 3',
    'netsteward_dnstest_right_answer_duration_seconds_sum{resolver="local"} 3.001',
    'netsteward_dnstest_right_answer_duration_seconds_count{resolver="local"} 3',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line}\n${text}`);
  }
});

test('the service: what runs, what is wrong, how the last reload went', async () => {
  const text = await rendered(report());
  for (const line of [
    'netsteward_build_info{version="1.2.3"} 1',
    'netsteward_ready 0',
    'netsteward_module_up{module="nbrpc"} 1',
    'netsteward_module_up{module="dyndns"} 0',
    'netsteward_module_restarts_total{module="dyndns"} 4',
    'netsteward_warnings{code="own-side-broken",severity="error"} 2',
    'netsteward_events_total{module="nbrpc",code="service-rerouted"} 5',
    'netsteward_last_reload_successful 1',
    'netsteward_last_reload_duration_seconds 0.25',
    'netsteward_event_loop_delay_max_seconds 0.03',
    'netsteward_resident_memory_bytes 123000000',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line}\n${text}`);
  }
});

test('a picture of an unknown shape costs that module its metrics, and the others nothing', async () => {
  const text = await rendered(report({ nbrpc: { odd: true }, dnstest: null }));
  assert.doesNotMatch(text, /netsteward_nbrpc_/);
  assert.match(text, /^netsteward_dyndns_records 3$/m);
});

test('no metric has more samples than is said, however many names there are', async () => {
  const many = Array.from({ length: 5 * mostSamples }, (_, index) => ({ labels: { x: String(index) }, value: 1 }));
  const definition = { name: 'netsteward_x', help: 'h', type: 'gauge', unit: 'x', labels: ['x'] } as const;
  const text = await renderText([measured(definition, many)]);
  assert.equal(text.match(/^netsteward_x\{/gm)?.length, mostSamples);
});

const promtool = (args: readonly string[], input?: string) =>
  spawnSync('promtool', args, { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
const skip = promtool(['--version']).error === undefined ? false : 'promtool is not installed (apt: prometheus)';

test('promtool check metrics finds nothing, with hostile labels too', { skip }, async () => {
  const text = await rendered(report());
  const { status, stdout, stderr } = promtool(['check', 'metrics'], text);
  assert.deepEqual([status, stdout, stderr], [0, '', ''], text);
  const known = [...(await allMetrics()).values()].flat();
  const unseen = known.filter(({ name }) => !text.includes(`# TYPE ${name} `)).map(({ name }) => name);
  assert.deepEqual(unseen, ['netsteward_nbrpc_next_pass_timestamp_seconds'], 'what was looked at is all that there is');
});

test('names are unique, begin with netsteward_, end in their unit, and counters alone in _total', async () => {
  const known = [...(await allMetrics()).values()].flat();
  assert.ok(known.length > 25);
  assert.equal(new Set(known.map(({ name }) => name)).size, known.length);
  for (const { name, type, unit, help } of known) {
    assert.match(name, /^netsteward_[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    if (/^(?:seconds|bytes)/.test(unit)) assert.match(name, new RegExp(`_${unit.split(' ')[0]}(?:_total)?$`));
    assert.match(help, /^\S.*\.$/, name);
  }
});

test('docs/metrics.md is what the source says: npx netsteward metrics --reference > docs/metrics.md', async () => {
  const page = readFileSync(join(checkout, 'docs', 'metrics.md'), 'utf8');
  assert.equal(page, metricsReference(await allMetrics()));
});

/** Names of metrics in a PromQL expression. */
const namesIn = (expression: string): string[] => expression.match(/\bnetsteward_\w+/g) ?? [];

async function assertKnown(expressions: readonly string[], where: string): Promise<void> {
  const known = new Map(
    [...(await allMetrics()).values()].flat().flatMap((metric): [string, MetricDefinition][] => {
      if (metric.type !== 'histogram') return [[metric.name, metric]];
      const buckets = { ...metric, labels: [...metric.labels, 'le'] };
      return [
        [`${metric.name}_bucket`, buckets],
        [`${metric.name}_sum`, metric],
        [`${metric.name}_count`, metric],
      ];
    }),
  );
  for (const expression of expressions) {
    assert.ok(namesIn(expression).length > 0, `${where}: ${expression}`);
    for (const name of namesIn(expression)) assert.ok(known.has(name), `${where}: ${name}`);
    for (const [, name = '', body = ''] of expression.matchAll(/\b(netsteward_\w+)\{([^}]*)\}/g)) {
      const labels = [...body.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label ?? '');
      const odd = labels.filter((label) => label !== 'instance' && !known.get(name)?.labels.includes(label));
      assert.deepEqual(odd, [], `${where}: ${expression}`);
    }
  }
}

test('each query of the Grafana dashboard names metrics and labels that exist, and every part has a panel', async () => {
  const text = readFileSync(join(checkout, 'packaging', 'grafana-dashboard.json'), 'utf8');
  const { panels } = JSON.parse(text) as {
    panels: { title: string; id: number; targets: { expr: string; legendFormat: string }[] }[];
  };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const targets = panels.flatMap(({ targets: all }) => all);
  await assertKnown(
    targets.map(({ expr }) => expr),
    'dashboard',
  );
  const known = [...(await allMetrics()).values()].flat();
  for (const { expr, legendFormat } of targets) {
    const [name = ''] = namesIn(expr);
    const labels = [
      'instance',
      ...(known.find((metric) => metric.name === name.replace(/_bucket$/, ''))?.labels ?? []),
    ];
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
      assert.ok(labels.includes(label), legendFormat);
  }
  for (const [part, metrics] of await allMetrics()) {
    assert.ok(
      targets.some(({ expr }) => metrics.some(({ name }) => namesIn(expr).includes(name))),
      part,
    );
  }
});

test('each alert names metrics and labels that exist, and says what to do', async () => {
  const text = readFileSync(join(checkout, 'packaging', 'prometheus-alerts.yml'), 'utf8');
  const expressions = [...text.matchAll(/^ +expr: (.+)$/gm)].map(([, expression]) => expression ?? '');
  assert.ok(expressions.length > 10);
  assert.equal(text.match(/^ +description: \S/gm)?.length, expressions.length);
  await assertKnown(expressions, 'alerts');
});

test('promtool check rules finds nothing in the alerts, nor in the queries of the dashboard', { skip }, (t) => {
  const { status, stdout, stderr } = promtool(['check', 'rules', join(checkout, 'packaging', 'prometheus-alerts.yml')]);
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /SUCCESS: \d+ rules found/);
  const dashboard = readFileSync(join(checkout, 'packaging', 'grafana-dashboard.json'), 'utf8');
  const queries = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(
    ([, text = '']) => JSON.parse(text) as string,
  );
  assert.ok(queries.length > 10);
  const rules = queries.map((expr, index) => ({ record: `x:${index}`, expr }));
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-metrics-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'rules.yml');
  // YAML takes JSON (yaml.org/spec/1.2.2 §1.3).
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'g', rules }] }));
  const asRules = promtool(['check', 'rules', file]);
  assert.equal(asRules.status, 0, `${asRules.stdout}${asRules.stderr}`);
});
