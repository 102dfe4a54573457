/** A look at an nft-agent that is a service of its own: whether it answers, would take this configuration, and its version. */
import type { Clock } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import type { AgentLook } from '../agent-look.ts';
import { connectedAgent } from './nft-agent-connect.ts';
import { type AgentConfig, parseAgentMessage, requestLine } from './nft-agent-protocol.ts';

/** Milliseconds. */
const patience = 5000;

/** Changes nothing, and does not disturb the client that the agent serves. Never rejects. */
export function lookAtAgent(path: string, config: AgentConfig, clock: Clock): Promise<AgentLook> {
  return new Promise((resolve) => {
    let settled = false;
    const settle = (look: AgentLook): void => {
      if (settled) return;
      settled = true;
      late.cancel();
      channel.kill();
      resolve(look);
    };
    const late = clock.after(patience, () => {
      settle({ kind: 'silent', reason: `${path}: no answer within ${patience / 1000} s` });
    });
    const channel = connectedAgent(path)({
      line(line) {
        try {
          const message = parseAgentMessage(line);
          if (message.type !== 'reply') return;
          if (message.ok) settle({ kind: 'fits', version: message.version ?? 'unknown' });
          else settle({ kind: 'refuses', code: message.code, message: message.message });
        } catch (error) {
          settle({ kind: 'silent', reason: `${path}: ${describeError(error)}` });
        }
      },
      complaint: () => {},
      closed: (reason) => settle({ kind: 'silent', reason }),
    });
    channel.send(requestLine({ type: 'look', id: 1, config }));
  });
}
