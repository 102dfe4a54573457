/** The process of `world`: web servers and DNS, told by the keeper what to serve. */
import { CertificateAuthority } from '../certificates.ts';
import { farResolvers, resolvers } from '../plan.ts';
import type { DnsBehaviour, Service } from '../service.ts';
import { DnsServer } from './dns-server.ts';
import { WebServers } from './web.ts';

/** From the keeper; each is answered with its `id`. */
export type WorldRequest =
  | { readonly id: number; readonly kind: 'services'; readonly services: readonly Service[] }
  | { readonly id: number; readonly kind: 'dns'; readonly behaviours: Readonly<Record<string, DnsBehaviour>> };

/** `name: '*'` is what holds for every name without a behaviour of its own. */
let services = new Map<string, Service>();
let behaviours = new Map<string, DnsBehaviour>();

const authority = new CertificateAuthority(Date.now());
const find = (name: string): Service | undefined => services.get(name);
const web = new WebServers(authority, find);
const dns = new DnsServer({
  service: find,
  behaviour: (name) => behaviours.get(name) ?? behaviours.get('*') ?? { kind: 'normal' },
});

process.on('message', (request: WorldRequest) => {
  if (request.kind === 'services') services = new Map(request.services.map((service) => [service.name, service]));
  else behaviours = new Map(Object.entries(request.behaviours));
  process.send?.({ id: request.id });
});
process.on('disconnect', () => process.exit(0));

await Promise.all([web.listen(), dns.listen([...resolvers, ...farResolvers])]);
process.send?.({ ready: { authority: authority.certificate } });
