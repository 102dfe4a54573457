/** Checks what DNS is told to do, whoever asked for it. */
import { canonicalAddress } from './address.ts';
import { labError } from './lab-error.ts';
import type { DnsBehaviour } from './service.ts';
import { dnsKinds } from './vocabulary.ts';

/** Throws LabError `lab-request`. */
export function dnsBehaviour(behaviour: DnsBehaviour): DnsBehaviour {
  if (!dnsKinds.includes(behaviour.kind)) {
    throw labError(
      'lab-request',
      `DNS cannot be told ${JSON.stringify(behaviour.kind)}`,
      `It knows ${dnsKinds.join(', ')}.`,
    );
  }
  if (behaviour.delay !== undefined) checkNumber('delay', behaviour.delay, 0);
  switch (behaviour.kind) {
    case 'rotate':
    case 'shrink':
      checkNumber('count', behaviour.count, 1);
      return behaviour;
    case 'addresses': {
      const addresses = behaviour.addresses.map((text) => {
        const address = canonicalAddress(text);
        if (address === undefined) throw labError('lab-request', `${JSON.stringify(text)} is not an address`);
        return address;
      });
      return { ...behaviour, addresses };
    }
    default:
      return behaviour;
  }
}

function checkNumber(name: string, value: unknown, least: number): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return;
  throw labError('lab-request', `${name} must be a whole number >= ${least}`);
}
