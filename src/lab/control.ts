/** The lab's control socket: one JSON line asks, one JSON line answers. */
import { connect, createServer, type Server } from 'node:net';
import { NetstewardError } from '../core/errors.ts';
import type { CensorOptions } from './censor.ts';
import { labError } from './lab-error.ts';
import type { Answer, CertificateKind, DnsBehaviour, Outage, Service, ServiceSpec } from './service.ts';
import type { CensorKind, HostName } from './vocabulary.ts';

/** What changes about a service; what is left out stays. A name that is new becomes a service. */
export type ServiceChange = Omit<ServiceSpec, 'name'>;

export interface Requests {
  status: { readonly ask: Record<string, never>; readonly answer: LabStatus };
  censor: {
    readonly ask: { readonly targets: readonly string[]; readonly kind: CensorKind; readonly options: CensorOptions };
    readonly answer: null;
  };
  dns: { readonly ask: { readonly name: string; readonly behaviour: DnsBehaviour }; readonly answer: null };
  service: { readonly ask: { readonly name: string; readonly change: ServiceChange }; readonly answer: Service };
  counters: { readonly ask: Record<string, never>; readonly answer: Counters };
}
export type RequestName = keyof Requests;

export interface LabStatus {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly caFile: string;
  readonly routerRuleset: string;
  readonly resolvers: readonly string[];
  readonly tunnel: { readonly mark: number; readonly mask: number; readonly table: number };
  readonly hosts: readonly { readonly host: HostName; readonly devices: readonly DeviceStatus[] }[];
  readonly services: readonly Service[];
  readonly dns: Readonly<Record<string, DnsBehaviour>>;
  readonly censored: readonly ({ readonly target: string; readonly kind: CensorKind } & CensorOptions)[];
}

export interface DeviceStatus {
  readonly device: string;
  readonly peer: HostName;
  readonly addresses: readonly [string, string];
}

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** By address of the far side: what the router sent there over this path, and what came back. */
export type PathCounters = Readonly<Record<string, { readonly sent: Traffic; readonly received: Traffic }>>;

export interface Counters {
  /** Through `isp`; what the censor then stopped is counted too. */
  readonly direct: PathCounters;
  /** Through `exit`. */
  readonly tunnel: PathCounters;
}

export type { Answer, CertificateKind, Outage };

type Reply =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly remedy?: string };

const longestLine = 16 * 1024 * 1024;

/** Asks the keeper. Throws LabError `lab-not-running` when nobody listens, else the keeper's own error. */
export function ask<Name extends RequestName>(
  socketPath: string,
  name: Name,
  body: Requests[Name]['ask'],
): Promise<Requests[Name]['answer']> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify({ name, body })}\n`));
    socket.on('data', (data: string) => {
      text += data;
    });
    socket.on('error', (error) => {
      reject(
        labError('lab-not-running', `no lab answers at ${socketPath}`, 'Bring one up with: netsteward lab up', error),
      );
    });
    socket.on('close', (failed) => {
      if (failed) return;
      if (!text.endsWith('\n')) {
        reject(labError('lab-not-running', `the lab at ${socketPath} ended before it answered`));
        return;
      }
      const reply = JSON.parse(text) as Reply;
      if (reply.ok) resolve(reply.answer as Requests[Name]['answer']);
      else
        reject(
          new NetstewardError(reply.code, reply.message, reply.remedy === undefined ? {} : { remedy: reply.remedy }),
        );
    });
  });
}

/** Serves the socket; requests are handled one after the other. */
export function serveControl(path: string, handle: (name: string, body: unknown) => Promise<unknown>): Promise<Server> {
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: string) => {
      text += data;
      if (text.length > longestLine) socket.destroy();
      if (!text.endsWith('\n')) return;
      const line = text;
      text = '';
      last = last.then(async () => {
        socket.end(`${JSON.stringify(await replyTo(line, handle))}\n`);
      });
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

async function replyTo(line: string, handle: (name: string, body: unknown) => Promise<unknown>): Promise<Reply> {
  try {
    const { name, body } = JSON.parse(line) as { name: string; body: unknown };
    return { ok: true, answer: (await handle(name, body)) ?? null };
  } catch (error) {
    if (error instanceof NetstewardError) {
      const { code, message, remedy } = error;
      return { ok: false, code, message, ...(remedy === undefined ? {} : { remedy }) };
    }
    return { ok: false, code: 'lab-request', message: error instanceof Error ? error.message : String(error) };
  }
}
