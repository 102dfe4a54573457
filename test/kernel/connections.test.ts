/** A stuck connection to a service that gets another route: dropped at the flip, so that its client begins again through the tunnel. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { linkEnd, serviceAddress } from '../../src/lab/plan.ts';
import { eventually } from '../system/eventually.ts';
import type { KeptAnswer } from './keeping-client.ts';
import { RoutedLab } from './routed-lab.ts';

const [stuck, other] = [serviceAddress(4, 0, 0), serviceAddress(4, 1, 0)];
const client = fileURLToPath(new URL('./keeping-client.js', import.meta.url));

/**
 * Source NAT by fixed addresses: whoever was given one keeps it, and so leaves by the tunnel with the address of the uplink. (With
 * `masquerade` the kernel itself forgets a connection whose packets leave by another interface: nf_nat_oif_changed() of
 * net/netfilter/nf_nat_core.c.)
 */
const ruleset = `flush ruleset
table inet admin {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "uplink" snat ip to ${linkEnd('router', 'isp').ipv4}
    oifname "tunnel" snat ip to ${linkEnd('router', 'exit').ipv4}
  }
}
`;

let routed: RoutedLab;

before(async () => {
  routed = await RoutedLab.up({
    services: [
      { name: 'stuck.example', ipv4: [stuck], ipv6: [] },
      { name: 'other.example', ipv4: [other], ipv6: [] },
    ],
    checkList: 'stuck.example\nother.example',
    set: ['nbrpc.drop_connections=true', 'nbrpc.control.services=["other.example"]'],
    prepare: async (lab, folder) => {
      const file = join(folder, 'admin.nft');
      writeFileSync(file, ruleset);
      const load = async (host: 'router' | 'exit' | 'isp', ...words: string[]): Promise<void> => {
        const { code, stderr } = await lab.exec(host, ['nft', ...words]);
        assert.equal(code, 0, stderr);
      };
      await load('router', '-f', file);
      // As WireGuard's AllowedIPs: a tunnel takes nothing from addresses that are not its own.
      const strict = `iifname "router" ip saddr != ${linkEnd('router', 'exit').ipv4} drop`;
      await load('exit', `add table inet strict; ${chain('strict')}; add rule inet strict in ${strict}`);
      await load('isp', `add table inet mute; ${chain('mute')}`);
    },
  });
});
after(() => routed?.down());

function chain(table: string): string {
  return `add chain inet ${table} in { type filter hook prerouting priority -350; }`;
}

function ask(name: string, address: string): { readonly answers: KeptAnswer[]; end(): void } {
  const answers: KeptAnswer[] = [];
  const running = routed.lab.spawn('lan', [process.execPath, client, name, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  running.stdout?.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) answers.push(JSON.parse(line) as KeptAnswer);
  });
  return { answers, end: () => running.kill('SIGKILL') };
}

test('a connection that hangs is dropped at the flip, its client goes through the tunnel, and what goes to others stays', async () => {
  const [one, two] = [ask('stuck.example', stuck), ask('other.example', other)];
  try {
    await eventually('both are answered directly', async () =>
      [one, two].every(({ answers }) => answers.some(({ via }) => via === 'isp')),
    );
    // What is open hangs in both directions, so that neither side can know.
    await routed.lab.exec('isp', ['nft', `add rule inet mute in iifname "world" ip saddr ${stuck} drop`]);
    await routed.lab.censor('stuck.example', 'drop');
    await eventually('it is rerouted', async () => (await routed.blocked()).includes(stuck));
    const dropped = await eventually('its connections are dropped', async () =>
      routed.log.find(({ event }) => event === 'connections-dropped'),
    );
    assert.ok(Number(dropped.connections) >= 1 && dropped.addresses === 1, JSON.stringify(dropped));
    const around = await eventually('the client is answered through the tunnel', async () =>
      one.answers.find(({ via }) => via === 'exit'),
    );
    const broken = one.answers.find(({ error }) => error !== undefined);
    assert.equal(broken?.error, 'ECONNRESET', 'the far end has refused what it does not know');
    assert.notEqual(around.port, one.answers[0]?.port);
    assert.deepEqual(
      new Set(two.answers.map(({ port }) => port)).size,
      1,
      'the other has the connection it began with',
    );
    assert.ok(two.answers.every(({ error, via }) => error === undefined && via === 'isp'));
  } finally {
    one.end();
    two.end();
  }
});
