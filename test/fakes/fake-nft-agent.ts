/** An agent in this process: the real session, on a fake ruleset, reached through streams instead of a child's pipes. */
import { PassThrough } from 'node:stream';
import type { Clock } from '../../src/core/clock.ts';
import type { AgentChannel, ChannelListener, OpenAgentChannel } from '../../src/system/linux/nft-agent-channel.ts';
import { runAgentSession } from '../../src/system/linux/nft-agent-session.ts';
import { BoundedLines } from '../../src/system/linux/nft-lines.ts';
import type { FakeNft, FakeRuleset } from './fake-nft.ts';

export class FakeAgents {
  readonly #ruleset: FakeRuleset;
  readonly #clock: Clock;
  /** How many were started. */
  started = 0;
  /** Requests that reached any of them. */
  readonly requests: string[] = [];
  /** While set, no agent can open nftables. */
  openFailure: Error | undefined;
  #current: { readonly nft: FakeNft | undefined; readonly die: () => void } | undefined;

  constructor(ruleset: FakeRuleset, clock: Clock) {
    this.#ruleset = ruleset;
    this.#clock = clock;
  }

  /** As kill -9: the kernel closes its sockets, and the client sees the end of its pipes. */
  async kill(): Promise<void> {
    const current = this.#current;
    await current?.nft?.close();
    current?.die();
  }

  readonly open: OpenAgentChannel = (listener: ChannelListener): AgentChannel => {
    this.started += 1;
    const [input, output] = [new PassThrough(), new PassThrough()];
    const lines = new BoundedLines(1 << 24);
    let open = true;
    let nft: FakeNft | undefined;
    const closed = (reason: string): void => {
      if (!open) return;
      open = false;
      listener.closed(reason);
    };
    output.on('data', (bytes: Buffer) => {
      const complete = lines.add(bytes);
      if (complete !== 'too-long' && open) for (const line of complete) listener.line(line);
    });
    const session = runAgentSession({
      input,
      output,
      clock: this.#clock,
      openNft: async () => {
        if (this.openFailure !== undefined) throw this.openFailure;
        nft = this.#ruleset.open();
        this.#current = { nft, die: () => closed('it was ended by SIGKILL') };
        return nft;
      },
      openEvents: async () => this.#ruleset.events(),
    });
    session.then(
      (code) => setImmediate(() => closed(`it ended with exit code ${code}`)),
      (error: unknown) => closed(String(error)),
    );
    return {
      send: (line) => {
        this.requests.push(line);
        if (open) input.write(line);
      },
      end: () => input.end(),
      kill: () => closed('it was ended by SIGKILL'),
    };
  };
}
