/** A carrier within this process: the real module's side of it, copies of the messages as threads make them, and nothing to kill. */

import type { Clock } from '../../src/core/clock.ts';
import { type ServerOptions, serveModule } from '../../src/supervisor/module-server.ts';
import type { LinkListener, ModuleLink, OpenCarrier } from '../../src/system/carrier.ts';

/** Messages take a turn of the event loop. */
export function memoryCarrier(bind: ServerOptions['bind'], clock: Clock, version: string): OpenCarrier {
  return (listener) => {
    let open = true;
    let inside: LinkListener | undefined;
    const close = (reason: string): void => {
      if (!open) return;
      open = false;
      listener.closed(new Error(reason));
    };
    /** A copy at once, as every carrier makes it; delivered later, and not to a side that has ended. */
    const deliver = (message: unknown, to: (copy: unknown) => void): void => {
      const copy: unknown = structuredClone(message);
      setImmediate(() => open && to(copy));
    };
    const link: ModuleLink = {
      send: (message) => deliver(message, (copy) => listener.message(copy)),
      receive: (own) => {
        inside = own;
      },
      close: (exitCode) => void setImmediate(() => close(`it ended with exit code ${exitCode}`)),
    };
    serveModule({ link, bind, clock, version });
    return {
      send: (message) => deliver(message, (copy) => inside?.message(copy)),
      kill: () => void setImmediate(() => close('it was killed')),
    };
  };
}
