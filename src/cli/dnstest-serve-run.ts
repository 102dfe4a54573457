/** One run of `netsteward dnstest serve`, until a signal ends it. */
import { isIP } from 'node:net';
import { decode } from 'dns-packet';
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { Answerer } from '../dnstest/answer.ts';
import { NameHash } from '../dnstest/name-hash.ts';
import { bindingOf, isWildcard, wildcardText } from '../dnstest/serve-binding.ts';
import { servedZones } from '../dnstest/serve-zones.ts';
import { ZoneServer } from '../dnstest/server.ts';
import type { DnsBinding } from '../system/dns-listen-ports.ts';
import { composeDnsListeners, composeDnstestNotifier, hashKeyOf, hostAddress } from './compose-dnstest.ts';
import type { ServeFlags } from './dnstest-serve.ts';
import { openLog } from './log-output.ts';

export async function serveUntilSignal(flags: ServeFlags): Promise<void> {
  const output = openLog(process.env);
  output.configure({ level: flags.debug === true ? 'debug' : 'info', format: 'auto' });
  const log = output.logger;
  const hash = new NameHash(await hashKeyOf(flags));
  const bindings = await bindingsOf(flags.bind);
  const zones = servedZones(flags.zone, flags.ns, bindings);
  const answerer = new Answerer({ hash, ttl: flags.cacheTtl, zones });
  const signal = new Promise<void>((done) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => done());
  });
  const server = await ZoneServer.open(await composeDnsListeners(), answerer, {
    bindings,
    tcp: { connections: flags.tcpConnections, idle: flags.tcpIdle * 1000 },
    ...(flags.debug === true ? { trace: tracer(log) } : {}),
  });
  const notifier = composeDnstestNotifier();
  try {
    log.info('listening', { at: server.local, zones: zones.length === 0 ? 'any name' : zones.map(({ name }) => name) });
    for (const { address } of bindings) {
      if (isWildcard(address)) log.warn('dnstest-wildcard', { bind: address, text: wildcardText });
    }
    for (const { name, servers } of zones) {
      if (servers.every(({ addresses }) => addresses.length === 0)) {
        log.debug('name server without address', { zone: name, servers: servers.map((each) => each.name) });
      }
    }
    notifier.notify({ READY: '1', STATUS: `listening on ${server.local.join(', ')}` });
    await Promise.race([signal, server.ended]);
    notifier.notify({ STOPPING: '1' });
  } finally {
    await server.stop();
  }
}

async function bindingsOf(texts: readonly string[]): Promise<readonly DnsBinding[]> {
  const found: DnsBinding[] = [];
  for (const text of texts.length === 0 ? ['127.0.0.1:53'] : texts) {
    const { host, port } = bindingOf(text);
    const address = host === '' ? '::' : isIP(host) === 0 ? await hostAddress(host) : host;
    if (found.some((each) => each.address === address && each.port === port && port !== 0)) {
      throw new NetstewardError('usage', `--bind ${text}: is there twice`, { remedy: 'Name each address once.' });
    }
    found.push({ address, port });
  }
  return found;
}

/** What came and what was said, read by the library and not by our own reader. */
function tracer(log: Logger): (message: Uint8Array, answer: Uint8Array | undefined, transport: string) => void {
  const read = (bytes: Uint8Array): { readonly question: string; readonly code: string } | undefined => {
    try {
      const packet = decode(Buffer.from(bytes));
      const [asked] = packet.questions ?? [];
      const code = (packet as { readonly rcode?: string }).rcode ?? '';
      return { question: asked === undefined ? 'nothing' : `${asked.name} ${asked.type}`, code };
    } catch {
      return undefined;
    }
  };
  return (message, answer, transport) => {
    log.debug(answer === undefined ? 'not answered' : 'answered', {
      transport,
      question: read(message)?.question ?? `unreadable, ${message.length} bytes`,
      ...(answer === undefined ? {} : { code: read(answer)?.code, bytes: answer.length }),
    });
  };
}
