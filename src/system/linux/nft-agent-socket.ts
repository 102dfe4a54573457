/** The drop-in for nbrpc-policy-nft.py: one policy dump a connection on a unix socket, answered with `OK\n` when it is applied. */
import { lstat, unlink } from 'node:fs/promises';
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { describeError, errnoOf, NetstewardError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { type NftTable, nftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import { parsePolicyDump, setsOfDump, type VerdictSets } from './nft-policy-dump.ts';
import { applyOperations, refillOperations } from './nft-set-home.ts';

export interface SocketAgentOptions {
  readonly path: string;
  /** Milliseconds from the start of a connection to its dump's empty line. */
  readonly receiveTimeout: number;
  readonly table: NftTable;
  readonly sets4: VerdictSets;
  readonly sets6: VerdictSets;
  readonly nft: Nft;
  readonly clock: Clock;
  /** `info` is left out with --quiet. */
  readonly say: (level: 'info' | 'warning', text: string) => void;
  /** Gets each nft script before it is applied (--nft-print). */
  readonly print: ((script: string) => void) | undefined;
}

/** A dump line is about 60 bytes: more than 200 000 of them. */
const longestDump = 16 * 1024 * 1024;
const mostConnections = 64;

/** Resolves when it listens; rejects with NetstewardError `socket-in-use`, `socket-path-taken` or `socket-unusable`. */
export async function listenForDumps(options: SocketAgentOptions): Promise<{ close(): Promise<void> }> {
  await removeStale(options.path);
  const open = new Set<Socket>();
  let queue: Promise<unknown> = Promise.resolve();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // A peer that is gone has no use for an answer.
    socket.on('error', () => {});
    receiveDump(socket, options).then(
      (text) => {
        if (text === undefined) return;
        const outcome = queue.then(() => applyDump(text, options));
        queue = outcome.then(
          () => socket.end('OK\n'),
          (error: unknown) => {
            options.say('warning', `the dump was refused: ${describeError(error)}`);
            socket.destroy();
          },
        );
      },
      (error: unknown) => {
        options.say('warning', `nothing was done: ${describeError(error)}`);
        socket.destroy();
      },
    );
  });
  server.maxConnections = mostConnections;
  await listen(server, options.path);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await queue;
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function applyDump(text: string, options: SocketAgentOptions): Promise<void> {
  const dump = parsePolicyDump(text);
  for (const conflict of dump.conflicts) options.say('warning', conflict);
  const contents = setsOfDump(dump, options.sets4, options.sets6);
  const operations = refillOperations(options.table, contents);
  options.print?.(nftScript(...operations).text);
  await applyOperations(options.nft, operations);
  const counts = [...contents].map(([set, addresses]) => `${set} ${addresses.size}`);
  options.say('info', `applied: ${counts.length === 0 ? 'no sets are named' : counts.join(', ')}`);
}

/** All before the empty line. Undefined when the peer closed without a byte (a port probe). */
function receiveDump(socket: Socket, { receiveTimeout, clock }: SocketAgentOptions): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (outcome: string | undefined | NetstewardError): void => {
      timer.cancel();
      socket.removeAllListeners('data');
      socket.removeAllListeners('end');
      // What comes after the empty line is read and thrown away, so that the peer's end is seen.
      socket.resume();
      if (outcome instanceof NetstewardError) reject(outcome);
      else resolve(outcome);
    };
    const timer = clock.after(receiveTimeout, () => {
      settle(new NetstewardError('dump-timeout', `no whole dump came within ${receiveTimeout / 1000} s`));
    });
    socket.on('data', (bytes: Buffer) => {
      parts.push(bytes);
      length += bytes.length;
      if (length > longestDump)
        return settle(new NetstewardError('dump-too-long', `a dump is longer than ${longestDump} bytes`));
      const last = parts.at(-2)?.at(-1);
      if (!bytes.includes('\n\n') && !(last === 10 && bytes[0] === 10) && parts[0]?.[0] !== 10) return;
      const received = Buffer.concat(parts);
      settle(received[0] === 10 ? '' : received.toString('utf8', 0, received.indexOf('\n\n')));
    });
    socket.on('end', () => {
      if (length > 0) return settle(new NetstewardError('dump-incomplete', 'the dump ended before its empty line'));
      socket.destroy();
      settle(undefined);
    });
    socket.on('close', () => timer.cancel());
  });
}

export function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      const message = `cannot listen on ${printable(path)}: ${error.message}`;
      reject(
        new NetstewardError('socket-unusable', message, { remedy: 'Name a path in a directory that it may write to.' }),
      );
    };
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** Of an agent that was killed; one that answers, or a file that is no socket, stays. */
export async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = (await lstat(path)).isSocket();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const shown = printable(path);
  if (!isSocket) {
    throw new NetstewardError('socket-path-taken', `${shown} exists and is not a socket`, {
      remedy: 'Remove it or name another path.',
    });
  }
  if (await answers(path)) {
    throw new NetstewardError('socket-in-use', `another process listens on ${shown}`, {
      remedy: 'Stop it or name another path.',
    });
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = netConnect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', (error) => resolve(errnoOf(error) !== 'ECONNREFUSED'));
  });
}
