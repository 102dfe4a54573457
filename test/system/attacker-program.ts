/** Who owns the process of netsteward.service: tries what it must not be able to, and says of each attempt what became of it. */
//
// Run by attacker.test.ts in a container: `node attacker-program.js try` prints {"attempt": "done" | why not}; `flood` sends garbage
// to the agent until it is killed.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import koffi from 'koffi';

const socketPath = process.env.ATTACKED_SOCKET ?? '';
const agent = Number(process.env.ATTACKED_PID);
const longestMessage = 16 * 1024 * 1024;

const command = (...argv: [string, ...string[]]): (() => void) => {
  return () => void execFileSync(argv[0], argv.slice(1), { stdio: 'pipe', timeout: 20_000 });
};
const write = (path: string): (() => void) => {
  return () => {
    const file = openSync(path, 'a');
    writeSync(file, '\n');
    closeSync(file);
  };
};
const read = (path: string): (() => void) => {
  return () => void readFileSync(path);
};

/** Fails with errno where the call fails; Linux x86-64 and arm64 number these alike through libc's own functions. */
function system(prototype: string, ...args: readonly unknown[]): () => void {
  return () => {
    const call = koffi.load(null).func(prototype) as (...words: readonly unknown[]) => number;
    if (Number(call(...args)) === -1) throw new Error(`errno ${koffi.errno()}`);
  };
}

// linux/socket.h, linux/netlink.h, sys/ptrace.h.
const [AF_INET, AF_PACKET, SOCK_RAW] = [2, 17, 3];
const PTRACE_ATTACH = 16;

/** What root can do outside of the sandbox: each of these has to be possible there, and is undone by nobody. */
const attempts: Readonly<Record<string, () => void>> = {
  'nft: a table more': command('nft', 'add table inet mine'),
  'nft: an element of somebody else’s set': command('nft', 'add element inet filter admins { 203.0.113.66 }'),
  'nft: a rule less': command('nft', 'flush chain inet filter input'),
  'nft: a look at the ruleset': command('nft', 'list ruleset'),
  'nft: in a user namespace of its own': command('unshare', '-Urn', 'nft', 'list ruleset'),
  'ip: another route': command('ip', 'route', 'add', '203.0.113.0/24', 'dev', 'lo'),
  'ip: another rule': command('ip', 'rule', 'add', 'fwmark', '0x66', 'lookup', '66'),
  'a packet socket': system('int socket(int, int, int)', AF_PACKET, SOCK_RAW, 0),
  'a raw socket': system('int socket(int, int, int)', AF_INET, SOCK_RAW, 1),
  'a file in /etc': write('/etc/attacked'),
  'its own configuration': write('/etc/netsteward/netsteward.toml'),
  'the configuration of the agent': write('/etc/netsteward/nft-agent.toml'),
  'a unit': write('/etc/systemd/system/attacked.service'),
  'a unit until the next boot': write('/run/systemd/system/attacked.service'),
  'a program': write('/usr/bin/attacked'),
  'a file in the state folder of others': write('/var/lib/attacked'),
  'a file beside the agent’s socket': write('/run/netsteward-nft/attacked'),
  'a kernel setting': () => writeFileSync('/proc/sys/net/ipv4/ip_default_ttl', '66'),
  'a cgroup': () => mkdirSync('/sys/fs/cgroup/attacked'),
  'a program that keeps its owner’s rights': () => {
    const path = `${process.env.ATTACKED_STATE}/attacked`;
    writeFileSync(path, '#!/bin/sh\n');
    chmodSync(path, 0o4755);
  },
  'the passwords': read('/etc/shadow'),
  'the keys of dyndns': read('/etc/netsteward/dyndns.keys'),
  'a home': read('/root/.secret'),
  'the kernel’s log': command('dmesg'),
  'the memory of the agent': () => closeSync(openSync(`/proc/${agent}/mem`, 'r+')),
  'the environment of the agent': read(`/proc/${agent}/environ`),
  'the open files of the agent': () => void readdirSync(`/proc/${agent}/fd`),
  'a debugger on the agent': system('long ptrace(int, int, void *, void *)', PTRACE_ATTACH, agent, null, null),
  'a signal to the agent': () => void process.kill(agent, 0),
  'a signal to pid 1': () => void process.kill(1, 0),
  'a mount': command('mount', '-t', 'tmpfs', 'tmpfs', '/mnt'),
  'another root': command('chroot', '/', 'true'),
  'another name of the machine': command('hostname', 'attacked'),
  'a unit of others, restarted': command('systemctl', '--no-ask-password', 'restart', 'victim.service'),
  'a unit of others, stopped': command('systemctl', '--no-ask-password', 'stop', 'victim.service'),
  'a unit of its own making': command('systemd-run', '--no-ask-password', '--unit=attacked-too', 'true'),
};

function outcomes(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      attempt();
      found[name] = 'done';
    } catch (error) {
      found[name] = error instanceof Error ? error.message : String(error);
    }
  }
  return found;
}

const line = (fields: unknown): string => `${JSON.stringify(fields)}\n`;
const [mark, mask] = [65_536, 65_536];
const own = { kind: 'own', name: 'filter', mark, mask, markForwarded: true, markOwn: true, never: [] };
const foreign = (name: string) => ({
  kind: 'foreign',
  family: 'inet',
  table: 'filter',
  sets: [{ name, type: 'ipv4_addr' }],
});
const configure = (config: unknown): string => line({ type: 'configure', id: 1, config, onStop: 'flush' });

/** What the agent is asked that it must refuse, each over a connection of its own. */
const requests: Readonly<Record<string, readonly string[]>> = {
  'another table of its own': [configure(own)],
  'a set of others': [configure(foreign('admins'))],
  'elements without a configuration': [line({ type: 'replace', id: 1, sets: { blocked4: ['203.0.113.66'] } })],
  'the agent’s end': [line({ type: 'stop', id: 1, mode: 'flush' })],
  'text of nft in a name': [configure({ ...own, name: 'x; flush ruleset; #' })],
};

async function asked(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, lines] of Object.entries(requests)) found[`agent: ${name}`] = await answer(lines);
  return found;
}

function answer(lines: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let heard = '';
    socket.on('error', (error) => resolve(`no connection: ${error.message}`));
    socket.on('close', () => resolve(heard));
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
      if (heard.includes('"type":"reply"')) socket.end();
    });
    socket.write(lines.join(''));
  });
}

/** What costs a reader most: bytes that are nothing, lines that are too long, too deep or without an end, answers unread. */
const garbage: readonly (() => string | Buffer)[] = [
  () => Buffer.alloc(1024 * 1024, 0xff),
  () => Buffer.alloc(longestMessage + 2, 0x20),
  () => `${'['.repeat(longestMessage - 1)}\n`,
  () => `[${'{},'.repeat(longestMessage / 3 - 2)}0]\n`,
  () => '{"type":"conf',
  () => line({ type: 'update', id: 2, sets: { nothing: {} } }).repeat(20_000),
];

/** Four at a time, for ever: the agent serves eight connections. */
function flood(): void {
  const next = (turn: number): void => {
    const socket = connect(socketPath);
    const again = setTimeout(() => socket.destroy(), 2000);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(again);
      setTimeout(next, 20, turn + 1);
    });
    // Nothing is read, so that answers pile up.
    socket.pause();
    socket.write((garbage[turn % garbage.length] as () => string | Buffer)());
  };
  for (const start of [0, 1, 2, 4]) next(start);
}

if (process.argv[2] === 'flood') {
  flood();
  process.stdout.write('flooding\n');
} else {
  process.stdout.write(line({ ...outcomes(), ...(socketPath === '' ? {} : await asked()) }));
}
