/** How a service is blocked, as the running netsteward says it of the lab's censor; and "check now" over the control socket. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { controlCommand } from '../../src/cli/control-command.ts';
import { renderNbrpc } from '../../src/cli/nbrpc-view.ts';
import type { CensorOptions } from '../../src/lab/censor.ts';
import { farResolvers, serviceAddress } from '../../src/lab/plan.ts';
import type { CensorKind } from '../../src/lab/vocabulary.ts';
import type { RunningDetail } from '../../src/nbrpc/index.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

interface Case {
  readonly kind: CensorKind;
  readonly options?: CensorOptions;
  readonly token?: string;
  readonly code: string;
  readonly text: RegExp;
}

const cases: Readonly<Record<string, Case>> = {
  'drop.example': { kind: 'drop', code: 'connect timeout', text: /^connect: no answer$/ },
  'sni.example': {
    kind: 'sni',
    code: 'tls sni',
    text: /^TLS: reset on the ClientHello; .* so it is the name \(SNI\)$/,
  },
  'hijack.example': {
    kind: 'hijack',
    code: 'tls bogus-certificate',
    text: /^TLS: a certificate that is not the service's \(self-signed: blocked\.example\)$/,
  },
  // By its default codes a redirect would be as good as any answer.
  'redirect.example': {
    kind: 'redirect',
    options: { location: 'http://law.test/why' },
    token: ':http',
    code: 'http redirect',
    text: /^HTTP: sent to another site: 302 to http:\/\/law\.test\/why$/,
  },
  'denied.example': {
    kind: 'nxdomain',
    code: 'name nxdomain',
    text: /^name: the resolver says that there is no such name \(.* answers 62\./,
  },
};
const names = [...Object.keys(cases), 'fine.example'];

let routed: RoutedLab;

before(async () => {
  routed = await RoutedLab.up({
    services: names.map((name, index) => ({ name, ipv4: [serviceAddress(4, index, 0)], ipv6: [] })),
    checkList: names.map((name) => `${name}${cases[name]?.token ?? ''}`).join('\n'),
    set: [
      'nbrpc.schedule="prompt"',
      'nbrpc.control.services=["fine.example"]',
      `nbrpc.resolver.second=["${farResolvers[0]}"]`,
    ],
    prepare: async (lab) => {
      for (const [name, { kind, options }] of Object.entries(cases)) await lab.censor(name, kind, options);
    },
  });
});
after(() => routed?.down());

async function detail(): Promise<RunningDetail | undefined> {
  const { modules } = await routed.status();
  return modules.find(({ name }) => name === 'nbrpc')?.health?.detail as RunningDetail | undefined;
}

async function causeOf(name: string) {
  return (await detail())?.hosts.find((host) => host.name === name)?.cause;
}

for (const [name, { kind, code, text }] of Object.entries(cases)) {
  test(`${kind} is ${code}`, async () => {
    const found = await eventually(`${name} is said to be blocked by ${code}`, async () => {
      const cause = await causeOf(name);
      return cause !== undefined && cause !== null && `${cause.kind} ${cause.code}` === code && text.test(cause.text)
        ? cause
        : undefined;
    });
    assert.match(found.text, text);
  });
}

test('status says it in a sentence, a service that works has none, and each step is counted', async () => {
  const known = await eventually('four services are known to fail', async () => {
    const now = await detail();
    return now?.byStanding.failing === 4 || now?.byStanding.rerouted === 4 ? now : undefined;
  });
  const lines = renderNbrpc(known, Date.now()).join('\n');
  assert.match(lines, /\n {2}sni\.example .*\n {4}TLS: reset on the ClientHello; .*\(SNI\)\n/);
  assert.match(lines, /\n1 service has no known address\n {2}denied\.example: name: the resolver says/);
  assert.equal(await causeOf('fine.example'), null);
  assert.deepEqual(known.byCause, { name: 1, connect: 1, tls: 2, http: 1, transfer: 0 });
});

test('once a block is over, nothing is said of it', async () => {
  await routed.lab.censor('sni.example', 'none');
  await eventually('nothing is wrong with sni.example', async () => (await causeOf('sni.example')) === null);
});

test('"check now" asks a service long before its turn', async () => {
  const before = Date.now();
  const checked = async (): Promise<number> =>
    (await detail())?.hosts.find(({ name }) => name === 'fine.example')?.addresses[0]?.checked ?? 0;
  await eventually('it is taken', async () => {
    const answer = await controlCommand(routed.socket, 'nbrpc', 'check', 'fine.example');
    return answer === 'fine.example is being checked: its address on the direct route.';
  });
  await eventually('it was checked', async () => (await checked()) > before);
  const unknown = controlCommand(routed.socket, 'nbrpc', 'check', 'nobody.example');
  await assert.rejects(unknown, { code: 'host-unknown', message: 'nobody.example is in no check list' });
});
