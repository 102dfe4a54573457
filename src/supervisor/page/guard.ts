/** Who may ask the status page what: the Host header against DNS rebinding, the Origin of what changes something, the token (pure). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Binding, isLocal } from './binding.ts';

export interface Refusal {
  readonly status: 401 | 403 | 421;
  readonly error: string;
  readonly remedy: string;
}

/** Of a request, as Node gives it. */
export interface Asked {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly authorization: string | undefined;
}

const localNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * A site of others can make its own name lead here (DNS rebinding), and its scripts then count as ours; but its name stands in Host
 * (RFC 9110 §7.2). The port says nothing: `ssh -L` has another one. Where other machines are let in, it is the token that decides.
 */
export function refuseHost(binding: Binding, { host = '' }: Asked): Refusal | undefined {
  if (!isLocal(binding)) return undefined;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const own = binding.kind === 'tcp' ? [binding.address, `[${binding.address}]`] : [];
  if (localNames.includes(name) || own.includes(name)) return undefined;
  return {
    status: 421,
    error: 'this page answers to localhost, and to the address that it listens on, by no other name',
    remedy: 'Open it as http://localhost:PORT/ (`netsteward page` prints how).',
  };
}

/** What a page of somebody else's sends, with the reader's own browser. Fetch Standard, "Origin"; Fetch Metadata, "Sec-Fetch-Site". */
export function refuseOrigin({ host = '', origin, fetchSite }: Asked): Refusal | undefined {
  const strange = fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none';
  if (!strange && (origin === undefined || sameHost(origin, host))) return undefined;
  return {
    status: 403,
    error: 'this request comes from the page of another site',
    remedy: 'Open the status page itself in the browser (`netsteward page` prints how).',
  };
}

function sameHost(origin: string, host: string): boolean {
  return /^https?:\/\/(.*)$/.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}

/** `token` undefined: there is none, and nobody has the right. */
export function refuseToken(token: string | undefined, { authorization }: Asked): Refusal | undefined {
  if (token === undefined) {
    return {
      status: 403,
      error: 'this page only shows: no token is configured',
      remedy: 'Set page.token_file to a file with a token of at least 16 characters, and reload.',
    };
  }
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) {
    return { status: 401, error: 'this needs the token', remedy: 'Give the token that stands in page.token_file.' };
  }
  if (sameText(given, token)) return undefined;
  return { status: 403, error: 'the token is wrong', remedy: 'Give the token that stands in page.token_file.' };
}

/** Takes as long for whatever is given: hashes are of one length, and are compared as a whole. */
function sameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
