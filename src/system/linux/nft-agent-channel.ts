/** How a client reaches an agent: today a child process with its standard input and output. */
import { spawn } from 'node:child_process';
import { printable } from '../../core/printable.ts';
import { childEnvironment } from './child-environment.ts';
import { longestMessage } from './nft-agent-protocol.ts';
import { BoundedLines } from './nft-lines.ts';

export interface ChannelListener {
  line(text: string): void;
  /** What the agent wrote for people. */
  complaint(text: string): void;
  /** Once, at last; nothing comes after it. */
  closed(reason: string): void;
}

export interface AgentChannel {
  /** `line` with its end. Silent when the channel is closed. */
  send(line: string): void;
  /** Ends the agent's input, so that it ends by itself. */
  end(): void;
  /** At once, whatever it does. */
  kill(): void;
}

export type OpenAgentChannel = (listener: ChannelListener) => AgentChannel;

/** `command`: program and arguments, as `[process.execPath, nft-agent-entry.js, 'nft-agent', '--supervised']`. */
export function spawnedAgent(command: readonly string[]): OpenAgentChannel {
  const [program, ...args] = command;
  if (program === undefined) throw new TypeError('the command of nft-agent is empty');
  return (listener) => {
    // A session of its own: Ctrl-C on a terminal reaches the supervisor alone, which then decides what stays in the kernel.
    const child = spawn(program, args, { stdio: 'pipe', detached: true, env: childEnvironment() });
    const lines = new BoundedLines(longestMessage);
    let failure: string | undefined;
    child.stdin.on('error', () => {});
    child.stdout.on('data', (bytes: Buffer) => {
      const complete = lines.add(bytes);
      if (complete === 'too-long') {
        failure = 'it sent a message without end';
        child.kill('SIGKILL');
      } else for (const line of complete) listener.line(line);
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      for (const line of text.trimEnd().split('\n').slice(0, 20)) listener.complaint(printable(line.slice(0, 500)));
    });
    child.on('error', (error) => {
      failure = error.message;
    });
    child.on('close', (code, signal) => {
      listener.closed(failure ?? (signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`));
    });
    return {
      send: (line) => {
        if (child.stdin.writable) child.stdin.write(line);
      },
      end: () => child.stdin.end(),
      kill: () => {
        child.kill('SIGKILL');
      },
    };
  };
}
