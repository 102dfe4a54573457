/** The process of `isp`: the middlebox, told by the keeper what to look at. */
import { type AddressInfo, createServer } from 'node:net';
import { familyOf } from '../address.ts';
import { type Diversion, diversionKey, type Forgery, type MiddleboxPorts } from '../censor.ts';
import { DnsForwarder } from './dns-forwarder.ts';
import { Relay } from './relay.ts';

/** From the keeper; answered with its `id` and the ports. */
export interface MiddleboxRequest {
  readonly id: number;
  readonly diversions: readonly Diversion[];
  readonly poison: Readonly<Record<string, Forgery>>;
}

let diversions = new Map<string, Diversion>();
let poison = new Map<string, Forgery>();
/** Once opened a port stays: the same address and port find it again, and no connection arrives at a stranger's. */
const ports: Record<string, number> = {};
const relay = new Relay();

function listen(address: string, port: 80 | 443): Promise<number> {
  const key = diversionKey(address, port);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    relay.take(socket, diversions.get(key) ?? { address, port, rules: [] });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      { port: 0, host: familyOf(address) === 4 ? '0.0.0.0' : '::', ipv6Only: familyOf(address) === 6, backlog: 4096 },
      () => resolve((server.address() as AddressInfo).port),
    );
  });
}

async function configure(request: MiddleboxRequest): Promise<Record<string, number>> {
  await Promise.all(
    request.diversions.map(async ({ address, port }) => {
      const key = diversionKey(address, port);
      ports[key] ??= await listen(address, port);
    }),
  );
  diversions = new Map(
    request.diversions.map((diversion) => [diversionKey(diversion.address, diversion.port), diversion]),
  );
  poison = new Map(Object.entries(request.poison));
  return ports;
}

process.on('message', (request: MiddleboxRequest) => {
  configure(request).then(
    (result) => process.send?.({ id: request.id, result }),
    (error) => process.send?.({ id: request.id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

const dns: MiddleboxPorts['dns'] = await new DnsForwarder((name) => poison.get(name)).listen();
process.send?.({ ready: { dns } });
