/** What a packet costs the server before it is refused, step by step, and what it costs to read it from its socket at all. */
import { type Candidate, checkSignature, knownKeys, type Scene, screen } from '../src/dyndns/accept.ts';
import { encodePacket } from '../src/dyndns/packet.ts';
import { SourceQueue } from '../src/dyndns/queue.ts';
import { emptyReplayState, withAccepted } from '../src/dyndns/replay.ts';
import { fitsQuick, fitsStrict } from '../src/dyndns/signature.ts';
import { parseZone } from '../src/dyndns/zone-file.ts';
import { LinuxUdpSockets } from '../src/system/linux/udp.ts';
import { compileFlood, flood, newKey, port, withFolder } from './_dyndns-site.ts';
import { printTable, quantile } from './_figures.ts';
import { insideNamespace } from './_namespace.ts';

const now = 1_700_000_000;
const source = '::ffff:192.0.2.7';
const key = newKey();
const { id } = key.verify;
const zone = parseZone(Buffer.from(`# dynamic: 5.00 ${key.verify.text}\n+a.net:192.0.2.1\n`));
const scene: Scene = {
  keys: knownKeys([zone]),
  state: withAccepted(emptyReplayState, {
    keyId: id,
    family: 4,
    timestamp: now - 5,
    address: '192.0.2.1',
    now,
    writes: true,
  }),
  now,
  clockWindow: 600,
};

const genuine = encodePacket(key, now);
const forged = Buffer.from(genuine);
// Not the last byte: it holds the high bits of S, which must stay below the group's order (RFC 8032, 5.1.7).
forged.fill(9, 36, 99);
const stranger = Buffer.from(genuine);
stranger.write('nobody', 0, 'latin1');

function candidateOf(bytes: Uint8Array): Candidate {
  const candidate = screen(bytes, source, scene);
  if (typeof candidate === 'string') throw new Error(`refused: ${candidate}`);
  return candidate;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU microseconds a call: p50 and p95 of 20 rounds, after one to warm up. */
function measured(what: string, calls: number, work: (call: number) => unknown): string[] {
  const rounds: number[] = [];
  for (let round = 0; round <= 20; round += 1) {
    const start = cpuMicroseconds();
    for (let call = 0; call < calls; call += 1) work(call);
    if (round > 0) rounds.push((cpuMicroseconds() - start) / calls);
  }
  const digits = calls > 300 ? 2 : 0;
  return [what, quantile(rounds, 0.5).toFixed(digits), quantile(rounds, 0.95).toFixed(digits)];
}

/** CPU microseconds a packet of the whole way out of the kernel, in a process that only counts. */
async function receiving(): Promise<string[]> {
  return await withFolder(async (folder) => {
    const program = compileFlood(folder);
    let count = 0;
    const socket = await new LinuxUdpSockets().open(
      { address: '::', port },
      { datagram: () => (count += 1), failed: (error) => process.emitWarning(error) },
    );
    const rounds: number[] = [];
    for (let round = 0; round <= 5; round += 1) {
      const [start, before] = [cpuMicroseconds(), count];
      await flood(program, id, { rate: 30_000, seconds: 1, sources: 200 });
      if (round > 0) rounds.push((cpuMicroseconds() - start) / (count - before));
    }
    await socket.close();
    return [
      'read from the socket and counted (200 sources, 30 000/s)',
      quantile(rounds, 0.5).toFixed(2),
      quantile(rounds, 0.95).toFixed(2),
    ];
  });
}

if (insideNamespace()) {
  const many = 20_000;
  const [good, bad] = [candidateOf(genuine), candidateOf(forged)];
  const [old, ahead] = [encodePacket(key, now - 100), encodePacket(key, now + 5000)];
  const short = genuine.subarray(1);
  const queue = new SourceQueue<{ keyId: string; source: string; familiar: boolean }>();
  const sources = Array.from({ length: 200 }, (_, at) => `::ffff:198.51.100.${at}`);
  const socket = await receiving();
  printTable(
    ['step', 'CPU µs a packet, p50', 'p95'],
    [
      socket,
      measured('refused by its length', many, () => screen(short, source, scene)),
      measured('refused by its key id', many, () => screen(stranger, source, scene)),
      measured('refused by its timestamp: not newer', many, () => screen(old, source, scene)),
      measured('refused by the clock window', many, () => screen(ahead, source, scene)),
      measured('into the queue, where its source waits already', many, (call) =>
        queue.put({ keyId: id, source: sources[call % 200] ?? '', familiar: false }),
      ),
      measured('forged: refused by node:crypto', 300, () => checkSignature(bad)),
      measured('genuine: node:crypto alone', 300, () => fitsQuick(good.key, good.packet.signed, good.packet.signature)),
      measured('genuine: @noble/ed25519 alone', 20, () =>
        fitsStrict(good.key, good.packet.signed, good.packet.signature),
      ),
    ],
  );
}
