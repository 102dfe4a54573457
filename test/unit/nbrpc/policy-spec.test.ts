/** Policy specs: route and flags. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePolicy } from '../../../src/nbrpc/policy-spec.ts';

function specOf(text: string): string {
  const parsed = parsePolicy(text);
  if (!parsed.ok) return 'refused';
  const { route, newestOnly, family, zoneNewest, zoneTri, zoneShuffle } = parsed.policy;
  return [
    route,
    newestOnly && '1',
    family,
    zoneNewest && 'L',
    zoneTri === null ? '' : zoneTri ? 'D' : 'N',
    zoneShuffle && 'R',
  ]
    .filter(Boolean)
    .join(' ');
}

describe('a policy spec', () => {
  const table: Record<string, string> = {
    'af-any': 'af-any',
    'af-all': 'af-all',
    'af-pick': 'af-pick',
    pick: 'pick',
    noroute: 'noroute',
    AF_Any: 'af-any',
    'Pick.6': 'pick 6',
    'pick.': 'pick',
    'af_all.1LDR4': 'af-all 1 4 L D R',
    'pick.46': 'pick',
    'pick.DN': 'pick',
    'pick.N': 'pick N',
    // Only flag letters: flags with af-any, whatever the default policy is.
    LD4: 'af-any 4 L D',
    '1': 'af-any 1',
    '46': 'af-any',
    'pick.d': 'refused',
    'pick.6.4': 'refused',
    '.4': 'refused',
    '': 'refused',
    direct: 'refused',
    LD4x: 'refused',
  };
  for (const [text, expected] of Object.entries(table)) {
    it(`${JSON.stringify(text)} is ${expected}`, () => assert.equal(specOf(text), expected));
  }
});
