/** The test zone's server in this process, real resolvers that are pointed at it, and a client that asks them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DecodedPacket, decode, encode, type Question, RECURSION_DESIRED, type StringAnswer } from 'dns-packet';
import { Answerer, type ServedZone } from '../../src/dnstest/answer.ts';
import { NameHash } from '../../src/dnstest/name-hash.ts';
import { usualTcpLimits, ZoneServer } from '../../src/dnstest/server.ts';
import { LinuxDnsListeners } from '../../src/system/linux/dns-listen.ts';
import { unboundIn } from './unbound-config.ts';

export const hash = new NameHash('hash-key');

export interface SeenQuery {
  /** As it was on the wire. */
  readonly name: string;
  readonly type: string;
  readonly transport: 'udp' | 'tcp';
}

/** The server, with all that it was asked. */
export class TestZone {
  readonly seen: SeenQuery[] = [];
  #server: ZoneServer | undefined;

  /** `at`: `127.0.0.2`, port 53, unless another is named. Stops with the test. */
  static async open(
    t: TestContext,
    at: string,
    { zones = [], port = 53 }: { readonly zones?: readonly ServedZone[]; readonly port?: number } = {},
  ): Promise<TestZone> {
    const zone = new TestZone();
    zone.#server = await ZoneServer.open(new LinuxDnsListeners(), new Answerer({ hash, ttl: 300, zones }), {
      bindings: [{ address: at, port }],
      tcp: usualTcpLimits,
      trace: (message, _answer, transport) => {
        const [asked] = decode(Buffer.from(message)).questions ?? [];
        zone.seen.push({ name: asked?.name ?? '', type: asked?.type ?? '', transport });
      },
    });
    t.after(() => zone.#server?.stop());
    return zone;
  }
}

export interface Asked {
  /** NOERROR, SERVFAIL, … */
  readonly code: string;
  readonly addresses: readonly string[];
}

/** Milliseconds in which a resolver has to start and answer, on a busy machine too. */
const patience = 60_000;

/** One query to a resolver, again each second until something comes, and sooner while nobody listens; rejects after a minute. */
export async function askResolver(at: string, name: string, type: 'A' | 'AAAA' | 'MX', port = 53): Promise<Asked> {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const answer = await exchange(at, port, name, type);
    if (answer === undefined) continue;
    const addresses = (answer.answers ?? [])
      .filter((each) => each.type === type)
      .map((each) => (each as StringAnswer).data);
    return { code: (answer as unknown as { readonly rcode: string }).rcode, addresses };
  }
  throw new Error(`no answer from ${at} for ${name} ${type}`);
}

/** Waits until a resolver that has just begun has asked the zone's server for its name servers: SERVFAIL until then. */
export async function knowsZone(at: string, below: string): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    if ((await askResolver(at, freshName(below), 'A')).code !== 'SERVFAIL') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${at} says SERVFAIL to everything below ${below}`);
}

function exchange(at: string, port: number, name: string, type: string): Promise<DecodedPacket | undefined> {
  const socket = createSocket(at.includes(':') ? 'udp6' : 'udp4');
  const id = Math.floor(Math.random() * 65_536);
  const message = encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type: type as Question['type'] }],
  });
  return new Promise((resolve) => {
    const end = (answer: DecodedPacket | undefined): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    let timer = setTimeout(() => end(undefined), 1000);
    // Nobody listens yet: the kernel says so to a socket that is connected (udp(7)).
    socket.on('error', () => {
      clearTimeout(timer);
      timer = setTimeout(() => end(undefined), 50);
    });
    socket.on('message', (bytes) => end(decode(bytes)));
    socket.connect(port, at, () => socket.send(message));
  });
}

let counter = 0;

/** Names that nobody has asked for before. */
export function freshName(below: string): string {
  counter++;
  return `n${counter}x${Math.random().toString(36).slice(2, 10)}.${below}`;
}

/** A name whose IPv4 address begins with this byte. */
export function nameWithFirstByte(byte: number, below: string): string {
  for (;;) {
    const name = freshName(below);
    if (hash.address(name, 4).startsWith(`${byte}.`)) return name;
  }
}

const path = `${process.env.PATH}:/usr/sbin:/sbin`;

export function lacks(t: TestContext, program: string): boolean {
  if (spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: path } }).status === 0) return false;
  t.skip(`NOT TESTED: ${program} is not installed`);
  return true;
}

export interface RunningResolver {
  /** What it has written, to the log and to its output. */
  log(): string;
}

/** Starts a resolver in a folder of its own; `files`: its configuration. Ends with the test. */
export function startResolver(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  command: (folder: string) => readonly string[],
  environment: Readonly<Record<string, string>> = {},
): RunningResolver {
  const folder = mkdtempSync('/tmp/netsteward-resolver-');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll('FOLDER', folder));
  }
  const [program = '', ...args] = command(folder);
  const child: ChildProcess = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, PATH: path, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
  child.on('error', (error) => (output += String(error)));
  child.stdin?.on('error', () => undefined).end(Buffer.alloc(128, 7));
  t.after(async () => {
    const closed = new Promise((resolve) => child.once('close', resolve));
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await closed;
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    log: () => {
      let file = '';
      try {
        file = readFileSync(join(folder, 'log'), 'utf8');
      } catch {
        // It logs to its output.
      }
      return output + file;
    },
  };
}

/** Delegates the test zone to 127.0.0.2. */
const parentZone = `$ORIGIN example.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 127.0.0.3
test NS ns.test
ns.test A 127.0.0.2
`;

/** `more`: lines of the server: clause; `after`: other clauses. Listens on 127.0.0.1. */
export function startUnbound(t: TestContext, more: string, after: string): RunningResolver {
  const config = `${unboundIn('FOLDER')}  logfile: "FOLDER/log"
  verbosity: 2
  interface: 127.0.0.1
  root-hints: "FOLDER/hints"
  trust-anchor-signaling: no
${more}
${after}`;
  // The root of a world without an internet: nobody.
  const files = {
    'unbound.conf': config,
    hints: '. 3600 IN NS a.root.\na.root. 3600 IN A 127.9.9.9\n',
    'example.zone': parentZone,
  };
  return startResolver(t, files, (folder) => ['unbound', '-d', '-c', `${folder}/unbound.conf`]);
}

export const local = '  do-not-query-localhost: no\n';
export const noValidator = '  module-config: "iterator"\n';
export const stub = 'stub-zone:\n  name: test.example\n  stub-addr: 127.0.0.2\n';
export const forward = 'forward-zone:\n  name: test.example\n  forward-addr: 127.0.0.2\n';
