/** `netsteward nft-agent --serve FILE`: the agent as a service of its own, with a configuration of its own. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { type Diagnostic, DiagnosticError } from '../core/diagnostic.ts';
import { dottedPath } from '../core/dotted-path.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { parseToml } from '../core/toml.ts';
import { printError } from './output.ts';
import { packageVersion } from './version.ts';

/** The keys of [nbrpc] that say what may be touched in the kernel. */
const keys = [
  ...'agent on_stop table sets while_down guard'.split(' '),
  ...'exit when_no_exit service in_use drop_connections'.split(' '),
];

/** Until SIGTERM or SIGINT. Rejects with `config-unreadable`, `config-invalid`, and with what the socket or nft refuse. */
export async function serveSets(file: string): Promise<ExitCode> {
  const { agent: path, on_stop: onStop, sink } = await readSets(file);
  const [{ giveBackSoon }, { agentConfig }, { serveAgent }, { openNft }, { openRulesetEvents }, { sdNotifier }] =
    await Promise.all([
      import('../system/linux/spare-memory.ts'),
      import('./compose.ts'),
      import('../system/linux/nft-agent-server.ts'),
      import('../system/linux/nft-open.ts'),
      import('../system/linux/ruleset-events.ts'),
      import('../system/linux/sd-notify.ts'),
    ]);
  const stopped = new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop());
  });
  const nft = await openNft();
  try {
    const server = await serveAgent({
      path,
      config: agentConfig(sink),
      version: packageVersion(),
      clock: systemClock,
      nft,
      events: await openRulesetEvents(),
      say: (level, text) => printError(`nft-agent: ${level}: ${text}\n`),
    });
    sdNotifier(process.env).notify({ READY: '1', STATUS: `listening on ${path}` });
    giveBackSoon();
    await stopped;
    await server.close(onStop);
    return exitCodes.ok;
  } finally {
    await nft.close();
  }
}

async function readSets(file: string) {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetstewardError('config-unreadable', `${file}: cannot be read: ${reason}`, { cause: error });
  }
  const document = parseToml(text, file);
  const { nbrpcModule, sinkOf } = await import('../nbrpc/index.ts');
  const table = document.value;
  const unknown = Object.keys(table).filter((key) => !keys.includes(key));
  const absolute = typeof table.agent === 'string' ? { agent: resolve(dirname(resolve(file)), table.agent) } : {};
  // What is asked of [nbrpc] beyond these is none of the agent's business.
  const parsed = await nbrpcModule.parse({
    ...Object.fromEntries(Object.entries(table).filter(([key]) => keys.includes(key))),
    ...absolute,
    check_lists: ['/dev/null'],
  });
  const problems = [
    ...unknown.map((key) => ({ path: [key], message: `unknown key (there are ${keys.join(', ')})` })),
    ...(parsed.ok ? [] : parsed.problems),
    ...('agent' in table ? [] : [{ path: ['agent'], message: 'is missing: the path of the socket to listen on' }]),
  ];
  if (parsed.ok && parsed.config.agent !== undefined && problems.length === 0) {
    return { agent: parsed.config.agent, on_stop: parsed.config.on_stop, sink: sinkOf(parsed.config) };
  }
  throw new DiagnosticError(
    'config-invalid',
    problems.map(
      ({ path, message }): Diagnostic => ({
        file,
        path: dottedPath(path),
        message,
        ...document.placeOf(path)?.key,
      }),
    ),
  );
}
