/** Asks a running netsteward over its control socket; whoever listens there is not trusted to be one. */
import { request } from 'node:http';
import { type Clock, systemClock } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { errnoOf, NetstewardError } from '../core/errors.ts';

export interface ControlQuestion {
  readonly socket: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON; nothing where absent. */
  readonly body?: unknown;
  /** Milliseconds until the whole answer must be there. */
  readonly limit: number;
}

export interface ControlAnswer {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

/** More than any status has; an answer without end must not fill the memory. */
const mostBytes = 64 * 1024 * 1024;

/** Rejects with NetstewardError `not-running`, `not-permitted` or `control-failed`. */
export function askControl(question: ControlQuestion, clock: Clock = systemClock): Promise<ControlAnswer> {
  const { socket, method, path, body, limit } = question;
  return new Promise<ControlAnswer>((resolve, reject) => {
    const call = request({ socketPath: socket, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= mostBytes) chunks.push(chunk);
        else end(new Error(`its answer is longer than ${mostBytes} bytes`));
      });
      response.on('error', end);
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown });
        } catch {
          end(new Error('its answer is not JSON'));
        }
      });
      response.on('close', () => end(new Error('its answer ends in the middle')));
    });
    const timer = clock.after(limit, () => end(new Error(`no answer within ${formatDuration(limit)}`)));
    const end = (error: unknown): void => {
      reject(controlError(socket, error));
      call.destroy();
    };
    call.on('error', end);
    call.on('close', () => timer.cancel());
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** What stands against asking, as an error with its remedy. */
export function controlError(socket: string, cause: unknown): NetstewardError {
  const code = errnoOf(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
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
  if (code?.startsWith('HPE_')) return badAnswer(socket, 'its answer is not HTTP', cause);
  return badAnswer(socket, cause instanceof Error ? cause.message : String(cause), cause);
}

/** Whoever answered is no netsteward, another version of it, or one that is in trouble. */
export function badAnswer(socket: string, reason: string, cause?: unknown): NetstewardError {
  return new NetstewardError('control-failed', `asking netsteward on ${socket} failed: ${reason}`, {
    remedy: 'See whether that is the control.socket of a netsteward of this version, and what its log says.',
    cause,
  });
}
