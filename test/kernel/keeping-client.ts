/** A client that asks again and again over one connection, and opens another only when that one breaks: `node … HOST ADDRESS`. */
import { Agent, get } from 'node:http';

/** One line of JSON for each answer or error. */
export interface KeptAnswer {
  /** Milliseconds since the start. */
  readonly at: number;
  /** Of the connection, at the client. */
  readonly port: number | undefined;
  /** The host of the lab that the service was asked through. */
  readonly via: string | undefined;
  readonly error: string | undefined;
}

const [, , host = '', address = ''] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const start = performance.now();

function ask(): void {
  let port: number | undefined;
  const told = (via: string | undefined, error: string | undefined): void => {
    const answer: KeptAnswer = { at: Math.round(performance.now() - start), port, via, error };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    setTimeout(ask, 200);
  };
  // No time-out: it waits as long as its kernel does.
  const request = get({ host: address, path: '/', headers: { host }, agent }, (response) => {
    const via = String(response.headers['x-lab-via']);
    response.resume();
    response.on('end', () => told(via, undefined));
  });
  request.on('socket', (socket) => {
    if (socket.connecting) socket.once('connect', () => (port = socket.localPort));
    else port = socket.localPort;
  });
  request.once('error', (error: NodeJS.ErrnoException) => told(undefined, error.code ?? error.message));
}

ask();
