/** A notifier that remembers what it was told. */
import type { Notifier } from '../../src/system/ports.ts';

export class FakeNotifier implements Notifier {
  readonly told: Readonly<Record<string, string>>[] = [];

  notify(state: Readonly<Record<string, string>>): void {
    this.told.push({ ...state });
  }

  /** Every value that this key was given. */
  valuesOf(key: string): string[] {
    return this.told.flatMap((state) => (state[key] === undefined ? [] : [state[key]]));
  }
}
