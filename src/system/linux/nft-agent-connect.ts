/** The way to an agent that is a service of its own: the same lines as with a child process, over a unix socket. */
import { connect } from 'node:net';
import { errnoOf } from '../../core/errors.ts';
import type { OpenAgentChannel } from './nft-agent-channel.ts';
import { longestMessage } from './nft-agent-protocol.ts';
import { BoundedLines } from './nft-lines.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket: netsteward-nft.service does not run',
  ECONNREFUSED: 'nobody listens there: netsteward-nft.service does not run',
  EACCES: 'permission denied: the socket is for its group alone',
};

/** `path`: absolute. */
export function connectedAgent(path: string): OpenAgentChannel {
  return (listener) => {
    const socket = connect(path);
    const lines = new BoundedLines(longestMessage);
    let reason = 'it has closed the connection';
    let sent = false;
    socket.on('data', (bytes: Buffer) => {
      const complete = lines.add(bytes);
      if (complete === 'too-long') {
        reason = 'it sent a message without end';
        socket.destroy();
      } else for (const line of complete) listener.line(line);
    });
    socket.on('error', (error) => {
      if (!sent || socket.connecting) reason = `${path}: ${reasons[errnoOf(error) ?? ''] ?? error.message}`;
    });
    socket.on('connect', () => {
      sent = true;
    });
    socket.on('close', () => listener.closed(reason));
    return {
      send: (line) => {
        if (socket.writable) socket.write(line);
      },
      end: () => socket.end(),
      kill: () => socket.destroy(),
    };
  };
}
