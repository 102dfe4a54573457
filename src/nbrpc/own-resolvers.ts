/** The name servers of this machine, where the configuration leaves it to them: they enter no set, as those that it names. */
import type { Files } from '../system/ports.ts';
import { canonicalAddress } from './address.ts';

/** resolv.conf(5); and what systemd-resolved asks behind its stub of 127.0.0.53 (systemd-resolved.service(8)). */
const places = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

export class OwnResolvers {
  readonly #files: Pick<Files, 'read'>;
  #known: ReadonlySet<string> = new Set();

  constructor(files: Pick<Files, 'read'>) {
    this.#files = files;
  }

  /** As they were at the last look; none where the configuration names resolvers, so that these are not asked. */
  of({ resolver }: { readonly resolver: { readonly servers?: readonly unknown[] | undefined } }): ReadonlySet<string> {
    return resolver.servers === undefined ? this.#known : new Set();
  }

  /** Whether there are others now. Never rejects: what cannot be read names nobody. */
  async look(): Promise<boolean> {
    const before = this.#known;
    const texts = await Promise.all(places.map((path) => this.#files.read(path).then(String, () => '')));
    this.#known = new Set(texts.flatMap(nameServers));
    return [...this.#known].join() !== [...before].join();
  }
}

/** Addresses of `nameserver` lines, in canonical text; those with a zone (fe80::1%eth0) are of a link, and in no set anyway. */
export function nameServers(text: string): readonly string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap(([, word = '']) => canonicalAddress(word) ?? []);
}
