/** An uplink that a test takes down. */
import type { Uplink, UplinkState } from '../../src/system/ports.ts';

export class FakeUplink implements Uplink {
  /** Undefined: it is up. */
  down: string | undefined;

  state(): Promise<UplinkState> {
    return Promise.resolve(this.down === undefined ? { up: true } : { up: false, detail: this.down });
  }
}
