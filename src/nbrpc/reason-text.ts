/** A cause as one sentence for people (pure). */
import type { Cause, CauseKind, causeCodes } from './reason.ts';

type Sentences = {
  readonly [Kind in CauseKind]: { readonly [Code in (typeof causeCodes)[Kind][number]]: (detail: string) => string };
};

const plain =
  (text: string) =>
  (detail: string): string =>
    detail === '' ? text : `${text} (${detail})`;

const after =
  (text: string) =>
  (detail: string): string =>
    detail === '' ? text : `${text} ${detail}`;

const sentences: Sentences = {
  none: { none: () => '' },
  name: {
    nxdomain: plain('name: the resolver says that there is no such name'),
    'no-such-name': plain('name: there is no such name; the second resolver says so too'),
    'no-address': plain('name: the resolver gives no address'),
    'no-answer': plain('name: the resolver does not answer'),
    junk: plain('name: the resolver answers with addresses that no public service can have'),
    'foreign-answer': plain('name: the resolver answers with addresses that are not the service'),
  },
  connect: {
    timeout: plain('connect: no answer'),
    refused: plain('connect: refused (RST)'),
    reset: plain('connect: reset (RST)'),
    'icmp-prohibited': plain('connect: prohibited by a router on the way (ICMP)'),
    'icmp-unreachable': plain('connect: a router on the way says unreachable or prohibited (ICMP)'),
  },
  tls: {
    'tls-silent': plain('TLS: no answer to the ClientHello'),
    reset: plain('TLS: reset on the ClientHello'),
    closed: plain('TLS: closed on the ClientHello'),
    sni: (detail) => `TLS: ${detail}; the same address answers to another name, so it is the name (SNI)`,
    'bogus-certificate': plain("TLS: a certificate that is not the service's"),
    alert: plain('TLS: the far side refuses the handshake'),
    'not-tls': plain('TLS: what answers is not TLS'),
    unreachable: plain('TLS: the way broke off'),
  },
  http: {
    silent: plain('HTTP: no answer to the request'),
    reset: plain('HTTP: reset on the request'),
    closed: plain('HTTP: closed on the request'),
    host: (detail) => `HTTP: ${detail}; the same address answers to another name, so it is the name (Host header)`,
    status: (detail) => `HTTP: status ${detail}`,
    redirect: (detail) => `HTTP: sent to another site: ${detail}`,
    legal: (detail) => `HTTP: unavailable for legal reasons (${detail})`,
    'not-http': plain('HTTP: what answers is not HTTP'),
    unreachable: plain('HTTP: the way broke off'),
  },
  transfer: {
    frozen: after('transfer: frozen'),
    throttled: plain('transfer: throttled'),
    'reset-after': after('transfer: reset'),
    'closed-after': after('transfer: cut off'),
    broken: plain('transfer: broken'),
    unreachable: plain('transfer: the way broke off'),
  },
};

/** Empty for `none`. */
export function causeSentence({ kind, code, detail }: Cause): string {
  const ofKind: Readonly<Partial<Record<string, (detail: string) => string>>> = sentences[kind];
  return ofKind[code]?.(detail) ?? '';
}
