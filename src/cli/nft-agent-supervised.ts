/** `nft-agent --supervised`: serves the supervisor that started it, on standard input and output. */
import { systemClock } from '../core/clock.ts';
import type { ExitCode } from '../core/exit-codes.ts';
import { runAgentSession } from '../system/linux/nft-agent-session.ts';
import { openNft } from '../system/linux/nft-open.ts';
import { openRulesetEvents } from '../system/linux/ruleset-events.ts';
import { giveBackSoon } from '../system/linux/spare-memory.ts';

/** Until it is told to stop, or the supervisor has ended. */
export async function superviseAgent(): Promise<ExitCode> {
  // Signals are for the supervisor: it tells by `stop`, or by ending, what is to stay in the kernel. systemd signals all of a unit.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {});
  giveBackSoon();
  const code = await runAgentSession({
    input: process.stdin,
    output: process.stdout,
    clock: systemClock,
    openNft,
    openEvents: openRulesetEvents,
  });
  process.stdin.destroy();
  return code;
}
