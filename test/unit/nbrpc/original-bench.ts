/** The nbrpc module under the original schedule on fakes, for its tests: days pass in milliseconds. */
import { FakeNbrpcHost } from '../../fakes/fake-nbrpc-host.ts';

export const hour = 3_600_000;

export class Bench extends FakeNbrpcHost {
  constructor(list = '') {
    super(list, { control: { services: [] }, schedule: 'original' });
  }

  flips(): readonly string[] {
    return this.log.of('flip').map(({ fields }) => `${fields.host} ${fields.from}>${fields.to} (${fields.reason})`);
  }
}
