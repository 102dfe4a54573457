/** Commands that are only noted; their outcome is what a test says. */
import type { CommandOutcome, CommandRequest, Commands } from '../../src/system/ports.ts';

export class FakeCommands implements Commands {
  readonly requests: CommandRequest[] = [];
  outcome: CommandOutcome = { ok: true };
  /** Called before each outcome. */
  delay: () => Promise<void> = () => Promise.resolve();

  async run(request: CommandRequest): Promise<CommandOutcome> {
    this.requests.push(request);
    await this.delay();
    return this.outcome;
  }
}
