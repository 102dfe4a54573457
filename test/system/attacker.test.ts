/** An attacker who owns the process of netsteward.service, hardened: what it reaches is its own state and elements of its sets. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bootContainer, type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { bootService, packaged, property, start, states, unit } from './netsteward-service.ts';

const agent = 'netsteward-nft.service';
const socket = '/run/netsteward-nft/nft.sock';
const program = '/usr/local/bin/node /opt/netsteward/dist/test/system/attacker-program.js';
const node = program.split(' ');

const config = `[nbrpc]
check_lists = ["services.list"]
agent = "${socket}"
schedule = "original"
[nbrpc.timers]
pass = "100ms"
host_na_state = "0s"
[nbrpc.resolver]
servers = ["127.0.0.1:9"]
[nbrpc.control]
uplink = false
services = []
`;
const ruleset = `table inet filter { set admins { type ipv4_addr; elements = { 192.0.2.1 }; };
  chain input { type filter hook input priority 0; ip saddr @admins accept; }; }`;

/** What there is to be had, in the sandbox's machine and in the other one. */
const prey = {
  '/etc/shadow': 'root:secret:20000::::::\n',
  '/etc/netsteward/dyndns.keys': 'secret\n',
  '/root/.secret': 'secret\n',
  '/etc/systemd/system/victim.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
};

/** The unit of netsteward as it is packaged, but for its program and how long that is to run. */
function attackerUnit(verb: 'try' | 'flood'): string {
  const kept = packaged(unit)
    .split('\n')
    .filter(
      (line) => !/^(ExecStart|ExecReload|Type|NotifyAccess|Restart\w*|Watchdog\w*|ConditionPathExists)=/.test(line),
    );
  // What it prints is read from the journal. The folders are of the service that runs beside it.
  const more = [
    `Type=${verb === 'try' ? 'oneshot' : 'exec'}`,
    `ExecStart=${program} ${verb}`,
    'EnvironmentFile=/etc/attacked.env',
    'RuntimeDirectoryPreserve=yes',
  ];
  return kept.join('\n').replace('[Service]\n', `[Service]\n${more.join('\n')}\n`);
}

describe('an attacker in the process of netsteward.service', { skip }, () => {
  let box: Container;
  /** In one step: an empty list in between could have the same time as what comes after it. */
  const list = (address: string): Promise<string> => {
    const script = 'cd /etc/netsteward && echo "$1=na" > next && mv next services.list';
    return box.run(['sh', '-c', script, 'sh', address]);
  };
  const blocked = (): Promise<string> => box.run(['nft', 'list', 'set', 'inet', 'netsteward-nbrpc', 'blocked4']);
  const agentPid = async (): Promise<string> => (await box.run(['systemctl', 'show', '-P', 'MainPID', agent])).trim();

  before(async () => {
    const files: Record<string, string> = {
      ...prey,
      [`/etc/systemd/system/${unit}.d/hardened.conf`]: packaged('netsteward-hardened.conf'),
      [`/etc/systemd/system/${agent}`]: packaged(agent),
      '/etc/sysusers.d/netsteward-nft.conf': packaged('netsteward-nft.sysusers.conf'),
      '/etc/netsteward/nft-agent.toml': `agent = "${socket}"\n[table]\n`,
    };
    for (const verb of ['try', 'flood'] as const) {
      files[`/etc/systemd/system/attacker-${verb}.service`] = attackerUnit(verb);
      files[`/etc/systemd/system/attacker-${verb}.service.d/hardened.conf`] = packaged('netsteward-hardened.conf');
    }
    box = await bootService(config, { tree: 'trixie', files });
    await box.run(['chmod', '600', '/etc/shadow', '/etc/netsteward/dyndns.keys']);
    await box.run(['nft', ruleset]);
    await box.run(['systemctl', 'start', 'victim.service']);
    await start(box);
    const pid = await agentPid();
    await box.write(
      '/etc/attacked.env',
      `ATTACKED_SOCKET=${socket}\nATTACKED_PID=${pid}\nATTACKED_STATE=/var/lib/netsteward\n`,
    );
  });
  after(() => box?.stop());

  test('as root and without the sandbox, every attempt is possible: they are real', async () => {
    const free = await bootContainer({
      tree: 'trixie',
      files: { ...prey, '/etc/netsteward/netsteward.toml': '', '/etc/netsteward/nft-agent.toml': '' },
    });
    try {
      await free.run(['nft', ruleset]);
      await free.run(['systemctl', 'start', 'victim.service']);
      await free.run(['mkdir', '-p', '/run/netsteward-nft', '/run/systemd/system']);
      const sleeper = (await free.run(['sh', '-c', 'sleep 600 >/dev/null 2>&1 & echo $!'])).trim();
      const env = { ATTACKED_PID: sleeper, ATTACKED_STATE: '/var/lib' };
      const outcomes = JSON.parse(await free.run([...node, 'try'], { env, timeout: 60_000 })) as Record<string, string>;
      assert.deepEqual(
        Object.entries(outcomes).filter(([, outcome]) => outcome !== 'done'),
        [],
      );
    } finally {
      await free.stop();
    }
  });

  test('in the sandbox none of them is, and the agent refuses what is not its sets', async () => {
    const rules = await box.run(['nft', 'list', 'ruleset']);
    const victim = await box.run(['systemctl', 'show', '-P', 'InvocationID', 'victim.service']);
    const pid = await agentPid();
    await box.run(['systemctl', 'start', 'attacker-try.service'], { timeout: 60_000 });
    const said = (await box.journal('-u', 'attacker-try.service')).map(({ MESSAGE }) => String(MESSAGE));
    const outcomes = JSON.parse(said.find((text) => text.startsWith('{')) ?? assert.fail(said.join('\n')));
    const all = Object.entries(outcomes as Record<string, string>);
    assert.ok(all.length > 30, said.join('\n'));
    assert.deepEqual(
      all.filter(([, outcome]) => outcome === 'done').map(([name]) => name),
      [],
    );
    for (const [name, outcome] of all.filter(([each]) => each.startsWith('agent: '))) {
      assert.match(outcome, /"ok":false,"code":"(agent-not-allowed|not-configured|agent-message-invalid)"/, name);
    }
    assert.equal(await box.run(['nft', 'list', 'ruleset']), rules);
    assert.equal(await box.run(['systemctl', 'show', '-P', 'InvocationID', 'victim.service']), victim);
    assert.equal(await agentPid(), pid);
    assert.deepEqual(await states(box), ['nbrpc running']);
  });

  test('while it floods the agent with garbage, genuine flips come through, and the agent is the same process', async () => {
    const pid = await agentPid();
    const main = await property(box, 'MainPID');
    await box.run(['systemctl', 'start', 'attacker-flood.service']);
    await eventually('it floods', async () =>
      (await box.journal('-u', 'attacker-flood.service')).some(({ MESSAGE }) => MESSAGE === 'flooding'),
    );
    const cutOff = async (): Promise<number> =>
      (await box.journal('-u', agent)).filter(({ MESSAGE }) => /a client was cut off/.test(String(MESSAGE))).length;
    const before = await cutOff();
    for (let turn = 1; turn <= 20 || (await cutOff()) < before + 8; turn += 1) {
      assert.ok(turn < 200, `${await cutOff()} attackers were cut off`);
      await list(`8.1.0.${turn}`);
      await eventually(`flip ${turn}`, async () =>
        new RegExp(`elements = \\{ 8\\.1\\.0\\.${turn} \\}`).test(await blocked()),
      );
    }
    assert.equal((await box.run(['systemctl', 'is-active', 'attacker-flood.service'])).trim(), 'active');
    assert.deepEqual([await agentPid(), await property(box, 'MainPID')], [pid, main]);
    await box.run(['systemctl', 'stop', 'attacker-flood.service']);
  });
});
