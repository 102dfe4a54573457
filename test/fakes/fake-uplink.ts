/** An uplink that a test takes down. */
import type { Uplink, UplinkState } from '../../src/system/ports.ts';

export class FakeUplink implements Uplink {
  /** Undefined: it is up. */
  down: string | undefined;
  /** Families that have no route. */
  without: readonly (4 | 6)[] = [];

  state(): Promise<UplinkState> {
    return Promise.resolve(
      this.down === undefined ? { up: true, without: this.without } : { up: false, detail: this.down },
    );
  }
}
