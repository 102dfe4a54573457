/** Asks a running netsteward over its control socket. */
import { request } from 'node:http';
import { errnoOf, NetstewardError } from '../core/errors.ts';

export interface ControlAnswer {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

/** More than any status has; an answer without end must not fill the memory. */
const mostBytes = 64 * 1024 * 1024;

/** Rejects with NetstewardError `not-running`, `not-permitted` or `control-failed`. */
export function askControl(socket: string, method: 'GET' | 'POST', path: string): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > mostBytes) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => reject(controlError(socket, error)));
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown });
        } catch (error) {
          reject(controlError(socket, error));
        }
      });
    });
    call.on('error', (error) => reject(controlError(socket, error)));
    call.end();
  });
}

function controlError(socket: string, cause: unknown): NetstewardError {
  const code = errnoOf(cause);
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
    return new NetstewardError('not-running', `no netsteward listens on ${socket}`, {
      remedy: 'Start it (systemctl start netsteward, or netsteward run), or name its control.socket with --socket.',
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new NetstewardError('not-permitted', `you may not connect to ${socket}`, {
      remedy: 'Run this as root, or as a member of the group that owns the socket.',
      cause,
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new NetstewardError('control-failed', `asking netsteward on ${socket} failed: ${reason}`, { cause });
}
