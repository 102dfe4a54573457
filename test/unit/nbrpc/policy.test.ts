/** Policies: what addresses make of a host, and the lines of the dump. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostState } from '../../../src/nbrpc/model.ts';
import { formatLines, hostLines, policyLines, wanted } from '../../../src/nbrpc/policy.ts';
import { votesOf } from '../../../src/nbrpc/verdict.ts';
import { addresses, entry, policy, state } from './build-state.ts';

const want = (spec: string, text: string) => wanted(policy(spec), votesOf(addresses(text)));

describe('the verdict that a policy asks for', () => {
  const table: [spec: string, addresses: string, verdict: boolean | null][] = [
    ['af-any', '1.1.1.1=ok', true],
    ['af-any', '1.1.1.1=ok 1::1=na', true],
    ['af-any', '1.1.1.1=ok 1.1.1.2=na 1::1=ok', true],
    ['af-any', '1.1.1.1=ok 1.1.1.2=na', false],
    ['af-any', '1.1.1.1=ok 1.1.1.2=na 1::1=?', false],
    ['af-any', '1.1.1.1=skipped 1::1=?', null],
    ['af-any', '1.1.1.1=skipped 1.1.1.2=ok', true],
    ['af-all', '1.1.1.1=ok 1::1=na', false],
    ['af-all', '1.1.1.1=ok 1::1=ok', true],
    ['af-all', '1.1.1.1=ok 1::1=skipped', true],
    ['af-all', '1.1.1.1=skipped', null],
    ['af-pick', '1.1.1.1=ok 1::1=na', false],
    ['af-pick', '1.1.1.1=ok 1::1=?', true],
    ['af-pick', '1::1=?', null],
    ['pick', '1.1.1.1=ok 1.1.1.2=na', false],
    ['pick', '1.1.1.1=ok 1.1.1.2=?', true],
    ['pick', '1.1.1.1=?', true],
    ['noroute', '1.1.1.1=na', true],
    // Old addresses count, but not with flag 1.
    ['af-all', '1.1.1.1=ok 1.1.1.2=na-', false],
    ['af-all.1', '1.1.1.1=ok 1.1.1.2=na-', true],
    ['pick.1', '1.1.1.1=ok 1.1.1.2=na-', true],
    ['af-any.1', '1.1.1.1=na 1::1=ok-', false],
    ['af-any', '1.1.1.1=na 1::1=ok-', true],
  ];
  for (const [spec, text, expected] of table) {
    it(`${spec} of ${text} is ${expected}`, () => assert.equal(want(spec, text), expected));
  }

  // Each family's addresses in turn, for each mix of one and the other: + is ok, - fails, ? is not known, . is none.
  const mixes = ['.', '+', '-', '?', '+-', '+?', '-?'];
  const matrix: Record<string, readonly string[]> = {
    // Columns are the mixes of IPv4; rows none, ok, failing and unknown of IPv6.
    'af-any': ['/ T F N F T F', 'T T T T T T T', 'F T F F F T F', 'N T F N F T F'],
    'af-all': ['/ T F N F T F', 'T T F T F T F', 'F F F F F F F', 'N T F N F T F'],
    'af-pick': ['/ T F N F T F', 'T T F T F T F', 'F F F F F F F', 'N T F N F T F'],
    pick: ['/ T F T F T F', 'T T F T F T F', 'F F F F F F F', 'T T F T F T F'],
    noroute: ['/ T T T T T T', 'T T T T T T T', 'T T T T T T T', 'T T T T T T T'],
  };
  const text = (prefix: string, mix: string): string =>
    mix
      .split('')
      .filter((sign) => sign !== '.')
      .map((sign, i) => `${prefix}${i + 1}=${{ '+': 'ok', '-': 'na' }[sign] ?? '?'}`)
      .join(' ');
  for (const [spec, rows] of Object.entries(matrix)) {
    it(`${spec} is as the contract says for each mix of both families, and for old addresses too`, () => {
      for (const [r, row] of rows.entries()) {
        for (const [c, four] of mixes.entries()) {
          const six = mixes[r] ?? '';
          const expected = { T: true, F: false, N: null }[row.split(' ')[c] ?? ''];
          assert.equal(expected === undefined, four === '.' && six === '.');
          if (expected === undefined) continue;
          const four4 = text('1.1.1.', four);
          const six6 = text('1::', six);
          assert.equal(want(spec, `${four4} ${six6}`), expected, `${four} ${six}`);
          // The newest answer has one address of which nothing is known; with flag 1 only that counts.
          const old = `${four4} ${six6}`.replaceAll(/=(\w+|\?)/g, '=$1-');
          assert.equal(want(spec, `${old} 9.9.9.9=?`), expected, `old ${four} ${six}`);
          const undecided = spec === 'pick' || spec === 'noroute' ? true : null;
          assert.equal(want(`${spec}.1`, `${old} 9.9.9.9=?`), undecided, `old ${four} ${six} with flag 1`);
        }
      }
    });
  }

  it('does not count an address that is down on the other route too', () => {
    const votes = votesOf(
      new Map(
        [...addresses('1.1.1.1=na 1.1.1.2=ok')].map(([key, value]) => [
          key,
          { ...value, down: key === '1.1.1.1' ? 100 : 0 },
        ]),
      ),
    );
    assert.equal(wanted(policy('af-all'), votes), true);
  });
});

const lines = (spec: string, hostState: HostState | null, text: string): string =>
  formatLines(hostLines(entry('a', { policy: spec, state: hostState }, text), policy('af-all'))).replaceAll('\n', ';');

describe('the policy dump', () => {
  it('gives every address the state of its host with af-any and af-all', () => {
    for (const spec of ['af-any', 'af-all', '']) {
      assert.equal(lines(spec, 'ok', '1.1.1.1=na 1::1=?'), 'ok a 1.1.1.1 https;ok a 1::1 https;');
      assert.equal(lines(spec, 'failing', '1.1.1.1=na'), 'ok a 1.1.1.1 https;');
      assert.equal(lines(spec, 'unstable', '1.1.1.1=na'), 'ok a 1.1.1.1 https;');
      assert.equal(lines(spec, 'na', '1.1.1.1=ok'), 'na a 1.1.1.1 https;');
      assert.equal(lines(spec, null, '1.1.1.1=ok'), 'na a 1.1.1.1 https;');
    }
  });

  it('gives each address its own state with pick, and leaves out those without', () => {
    assert.equal(
      lines('pick', 'na', '1.1.1.1=ok 1.1.1.2=na 1.1.1.3=? 1.1.1.4=skipped'),
      'ok a 1.1.1.1 https;na a 1.1.1.2 https;',
    );
  });

  it('gives every address ok with noroute', () => {
    assert.equal(lines('noroute', 'ok', '1.1.1.1=na 1::1=?'), 'ok a 1.1.1.1 https;ok a 1::1 https;');
  });

  it('reroutes only the failing families with af-pick, and none as long as the host counts as working', () => {
    const text = '1.1.1.1=ok 1.1.1.2=na 1::1=ok 1::2=?';
    assert.equal(
      lines('af-pick', 'na', text),
      'na a 1.1.1.1 https;na a 1.1.1.2 https;ok a 1::1 https;ok a 1::2 https;',
    );
    assert.equal(lines('af-pick', 'failing', text).includes('na'), false);
  });

  it('reroutes with af-pick and flag 1 only families that fail in the newest answer, their old addresses too', () => {
    const text = '1.1.1.1=na- 1.1.1.2=ok 1::1=na 1::2=ok-';
    const six = 'na a 1::1 https;na a 1::2 https;';
    assert.equal(lines('af-pick.1', 'na', text), `ok a 1.1.1.1 https;ok a 1.1.1.2 https;${six}`);
    assert.equal(lines('af-pick', 'na', text), `na a 1.1.1.1 https;na a 1.1.1.2 https;${six}`);
  });

  it('has hosts in byte order and addresses in plain string order, those that left DNS too, and the check type', () => {
    const dump = policyLines(
      state(
        entry('b', { state: 'ok' }, '9.0.0.1=ok 10.0.0.1=ok 1::3=ok-'),
        entry('B', { state: 'na', check: { type: 'http', path: '/x', result: '' } }, '1.1.1.1=na'),
        entry('a', { state: 'ok', check: { type: 'dns', path: '/', result: '' } }, '1.1.1.1=ok'),
        entry('none', { state: 'ok' }, ''),
      ),
      policy('af-all'),
    );
    assert.equal(
      formatLines(dump),
      'na B 1.1.1.1 http\nok a 1.1.1.1 dns\nok b 10.0.0.1 https\nok b 1::3 https\nok b 9.0.0.1 https\n',
    );
  });
});
