/** The tour that a rehearsal plays: each kind of block in turn, on the service where it shows (pure). */
import { dirname, join } from 'node:path';
import type { CensorKind } from './vocabulary.ts';

export interface Stop {
  readonly service: string;
  readonly scheme: 'http' | 'https';
  readonly kind: Exclude<CensorKind, 'none' | 'dns' | 'nxdomain'>;
  /** What the censor does now, for people. */
  readonly says: string;
}

/** The service that nobody blocks: it must go direct all the while. */
export const bystander = { service: 'news.example', scheme: 'https' } as const;

const overTls = { service: 'video.example', scheme: 'https' } as const;
const plain = { service: 'chat.example', scheme: 'http' } as const;

export const tour: readonly Stop[] = [
  { ...overTls, kind: 'drop', says: 'packets to video.example vanish' },
  { ...overTls, kind: 'sni', says: 'TLS connections that name video.example are reset' },
  { ...overTls, kind: 'stall', says: 'answers of video.example freeze after 16 kB' },
  { ...plain, kind: 'blockpage', says: 'chat.example shows a block page (http 403)' },
  { ...overTls, kind: 'hijack', says: 'video.example is answered by an impostor with a certificate of its own' },
  { ...overTls, kind: 'rst', says: 'connections to video.example are reset' },
  { ...plain, kind: 'redirect', says: 'chat.example is redirected to another site' },
  { ...overTls, kind: 'icmp', says: 'connections to video.example are rejected by ICMP' },
];

/** The check list that goes with it: the http service has to say 200, or a redirect would count as good. */
export const tourCheckList = `# What netsteward looks after in the rehearsal; edit it, and it is read again at the next pass.
video.example
news.example
chat.example:http=200
`;

/** Control services must be of the lab: nothing else exists there. The one that nobody blocks comes first. */
const tourControl = [bystander.service, overTls.service];

/** `--set` arguments of `netsteward run`: the example configuration, with the lab's files and with seconds for hours. */
export function tourOverrides(files: {
  readonly checkList: string;
  readonly state: string;
  readonly socket: string;
  readonly caFile: string;
  readonly resolvers: readonly string[];
  /** Control services; by default the tour's own. */
  readonly control?: readonly string[];
}): readonly string[] {
  const settings: Readonly<Record<string, unknown>> = {
    'log.format': 'json',
    'control.socket': files.socket,
    'history.file': join(dirname(files.state), 'history.db'),
    'nbrpc.check_lists': [files.checkList],
    'nbrpc.state': files.state,
    'nbrpc.check.ca_file': files.caFile,
    'nbrpc.resolver.servers': files.resolvers,
    'nbrpc.resolver.timeout': '2s',
    'nbrpc.check.timeout': '2s',
    'nbrpc.control.services': files.control ?? tourControl,
    // Seconds decide in the lab: no confirmations, but grace periods that are this short.
    'nbrpc.schedule': 'original',
    'nbrpc.timers.pass': '1s',
    'nbrpc.timers.host_addrs': '1s',
    'nbrpc.timers.addr_state': '2s',
    'nbrpc.timers.host_na_state': '3s',
    'nbrpc.timers.host_ok_state': '6s',
  };
  // Strings, numbers and lists of strings look the same in TOML and in JSON.
  return Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
}
