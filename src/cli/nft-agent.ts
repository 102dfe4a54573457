/** `netsteward nft-agent`: the one process that touches nftables, for the supervisor or as a drop-in for nbrpc-policy-nft.py. */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../core/clock.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { print, printError } from './output.ts';

interface Flags {
  readonly socket?: string;
  readonly recvTimeout: number;
  readonly nftSet4: string;
  readonly nftSet6: string;
  readonly nftTable: string;
  readonly nftFamily: string;
  readonly quiet?: true;
  readonly nftPrint?: true;
  readonly supervised?: true;
  readonly serve?: string;
}

export function registerNftAgent(program: Command): void {
  program
    .command('nft-agent')
    .summary('apply address sets to nftables, as nbrpc-policy-nft.py does')
    .description(
      'Takes one policy dump a connection on a unix socket (lines "ok|na HOST ADDR TYPE", then an empty line), replaces the named sets in one transaction and answers OK.',
    )
    .option('-s, --socket <path>', 'unix socket to listen on; a stale one is replaced')
    .option('-r, --recv-timeout <seconds>', 'time for a sender to send its whole dump', seconds, 10)
    .option('-4, --nft-set4 <ok:na>', 'sets for IPv4 addresses: "ok:na", "ok" or ":na"', '')
    .option('-6, --nft-set6 <ok:na>', 'sets for IPv6 addresses', '')
    .option('-t, --nft-table <name>', 'table of the sets', 'filter')
    .option('-f, --nft-family <family>', 'family of the table', 'inet')
    .option('-q, --quiet', 'say nothing of what went well')
    .option('-p, --nft-print', 'print each nft script to standard output, before it is applied')
    .option('--supervised', 'serve the supervisor on standard input and output')
    .option('--serve <config>', 'serve netsteward.service on a unix socket, with just the sets that this file names')
    .action(async (flags: Flags) => {
      if (flags.serve !== undefined) {
        const { serveSets } = await import('./nft-agent-serve.ts');
        process.exitCode = await serveSets(flags.serve);
        return;
      }
      if (flags.supervised === true) {
        const { superviseAgent } = await import('./nft-agent-supervised.ts');
        process.exitCode = await superviseAgent();
        return;
      }
      process.exitCode = await dropIn(flags);
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0 || value > 86_400) {
    throw new InvalidArgumentError('must be seconds, more than 0 and at most 86400');
  }
  return value;
}

async function dropIn(flags: Flags): Promise<ExitCode> {
  if (flags.socket === undefined || flags.socket === '') throw usage('name a unix socket with -s PATH');
  const [{ nftFamilies, identifierProblem }, { parseVerdictSets }] = await Promise.all([
    import('../system/nft-script.ts'),
    import('../system/linux/nft-policy-dump.ts'),
  ]);
  const family = nftFamilies.find((known) => known === flags.nftFamily);
  if (family === undefined) throw usage(`--nft-family must be one of ${nftFamilies.join(', ')}`);
  const problem = identifierProblem(flags.nftTable);
  if (problem !== undefined) throw usage(`--nft-table ${problem}`);
  const named = (text: string) => {
    try {
      return parseVerdictSets(text);
    } catch (error) {
      throw usage(describeError(error));
    }
  };
  const [sets4, sets6] = [named(flags.nftSet4), named(flags.nftSet6)];
  const say = (level: 'info' | 'warning', text: string): void => {
    if (level !== 'info' || flags.quiet !== true) printError(`nft-agent: ${level}: ${text}\n`);
  };
  // Absolute: a path of digits would be taken for a TCP port.
  return serve(resolve(flags.socket), flags, { table: { family, name: flags.nftTable }, sets4, sets6, say });
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message);
}

type SocketOptions = import('../system/linux/nft-agent-socket.ts').SocketAgentOptions;

/** Until a signal. All of them: a terminal that closes must not leave the socket behind either. */
async function serve(
  path: string,
  flags: Flags,
  sets: Pick<SocketOptions, 'table' | 'sets4' | 'sets6' | 'say'>,
): Promise<ExitCode> {
  const [{ listenForDumps }, { openNft }] = await Promise.all([
    import('../system/linux/nft-agent-socket.ts'),
    import('../system/linux/nft-open.ts'),
  ]);
  const stopped = new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => stop());
  });
  const nft = await openNft();
  try {
    const server = await listenForDumps({
      path,
      receiveTimeout: flags.recvTimeout * 1000,
      ...sets,
      nft,
      clock: systemClock,
      print: flags.nftPrint === true ? print : undefined,
    });
    // Also where the process ends at once, as when the reader of --nft-print has gone.
    const remove = (): void => rmSync(path, { force: true });
    process.on('exit', remove);
    sets.say('info', `listening on ${path}`);
    await stopped;
    await server.close();
    process.off('exit', remove);
    return exitCodes.ok;
  } finally {
    await nft.close();
  }
}
