/** A module's side of the carrier, as a test speaks for it. */
import type { ModuleMessage, SupervisorMessage } from '../../../src/supervisor/remote-protocol.ts';
import type { CarrierListener } from '../../../src/system/carrier.ts';

/** Ends when it is killed, as everywhere; a test can make it take longer. */
export class Other {
  readonly heard: SupervisorMessage[] = [];
  killed = 0;
  diesWhenKilled = true;
  #listener: CarrierListener | undefined;

  readonly open = (listener: CarrierListener) => {
    this.#listener = listener;
    return {
      send: (message: unknown) => void this.heard.push(message as SupervisorMessage),
      kill: () => {
        this.killed += 1;
        if (this.diesWhenKilled) setImmediate(() => this.end('it was killed'));
      },
    };
  };

  say(message: ModuleMessage | { readonly type: unknown }): void {
    this.#listener?.message(message);
  }

  end(reason: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.closed(new Error(reason));
  }

  /** The last message of this type. */
  last<Type extends SupervisorMessage['type']>(type: Type) {
    return this.heard.findLast(
      (message): message is Extract<SupervisorMessage, { type: Type }> => message.type === type,
    );
  }

  /** It is there, and runs. */
  begin(): void {
    this.say({ type: 'hello', version: '1' });
    this.say({ type: 'ready', health: { ready: true, summary: 'well', warnings: [] } });
  }

  answer(summary = 'well', detail?: unknown): void {
    const id = this.last('ping')?.id ?? 0;
    this.say({
      type: 'pong',
      id,
      health: { ready: true, summary, warnings: [], ...(detail === undefined ? {} : { detail }) },
    });
  }
}
