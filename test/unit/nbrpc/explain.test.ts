/** The chain from a list line to set elements, as values. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigTable } from '../../../src/core/module.ts';
import { type NbrpcConfig, parseNbrpc } from '../../../src/nbrpc/config.ts';
import { explainHost, type HostExplanation } from '../../../src/nbrpc/explain.ts';
import { explainingOf, listedHost, type RunningKnowledge, setsPlace } from '../../../src/nbrpc/explaining.ts';
import { placeOf } from '../../../src/nbrpc/list-places.ts';
import type { AddressRecord, HostRecord } from '../../../src/nbrpc/model.ts';
import { type Policy, parsePolicy } from '../../../src/nbrpc/policy-spec.ts';
import { policyText, ruleApplied } from '../../../src/nbrpc/policy-words.ts';
import { promptState, type SavedPromptState } from '../../../src/nbrpc/prompt/address.ts';
import { firstFailure } from '../../../src/nbrpc/prompt/suspicion.ts';
import { cause } from '../../../src/nbrpc/reason.ts';
import { similarNames } from '../../../src/nbrpc/similar.ts';
import { addressRecord, entry, hostRecord, policy, state } from './build-state.ts';

const now = 1_000_000;

function config(more: ConfigTable = {}): NbrpcConfig {
  const parsed = parseNbrpc({ check_lists: ['/l'], ...more });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

const twoExits: ConfigTable = {
  exit: [
    { name: 'fast', source: ['10.9.0.2'] },
    { name: 'slow', source: ['10.8.0.2'], mark: 0x20000 },
  ],
  table: { mask: 0x30000 },
};

const idle: RunningKnowledge = {
  monotonic: 500,
  counted: now,
  exits: [],
  prompt: (_, record) => record.prompt,
  plan: () => undefined,
  whyUnchecked: () => undefined,
};

function explained(
  name: string,
  all: NbrpcConfig,
  entries: Parameters<typeof state>,
  running?: Partial<RunningKnowledge>,
): HostExplanation {
  const known = running === undefined ? undefined : { ...idle, ...running };
  const told = explainHost(name, explainingOf(name, all, state(...entries), now * 1000, [], known));
  assert.ok(told);
  // It crosses threads and goes out as JSON.
  assert.deepEqual(JSON.parse(JSON.stringify(told)), told);
  return told;
}

/** What the prompt schedule knows at 480 s of the monotonic clock. */
function known(over: Partial<SavedPromptState['now']>): SavedPromptState {
  const { place, now: plain } = promptState(0.5, 480);
  return { place, now: { ...plain, ...over } };
}

function withPrompt(record: AddressRecord, kept: AddressRecord['prompt']): AddressRecord {
  return kept === undefined ? record : { ...record, prompt: kept };
}

describe('an explanation', () => {
  it('has the verdict of an address on each route, and what is asked next in wall-clock time', () => {
    const views = {
      fast: { results: [false, false, false], at: 470, since: 400, reason: 'connect timeout' },
      slow: { results: [true, true], at: 490, since: 490, reason: '' },
    };
    const record = withPrompt(
      addressRecord('192.0.2.1', { state: 'na', reason: 'tls reset', checked: now - 20, seen: now - 60 }),
      { state: known({ verdict: 'blocked' }), exits: views },
    );
    const host = {
      record: hostRecord('a', { state: 'na', exit: 'slow', checked: now - 60 }),
      addresses: new Map([['192.0.2.1', record]]),
    };
    const told = explained('a', config(twoExits), [host], {
      plan: () => ({ direct: 560, exits: { at: 530, names: ['slow'] }, pressing: false, interval: 60 }),
      exits: [
        { name: 'fast', works: true, reason: '', latency: 20, since: null },
        { name: 'slow', works: true, reason: '', latency: null, since: null },
      ],
    });
    const [address] = told.addresses;
    assert.deepEqual(address?.direct, { verdict: 'fails', reason: 'tls reset', asked: (now - 20) * 1000 });
    assert.deepEqual(address?.exits, [
      {
        name: 'fast',
        verdict: 'fails',
        reason: 'connect timeout',
        asked: (now - 30) * 1000,
        results: [false, false, false],
      },
      { name: 'slow', verdict: 'works', reason: '', asked: (now - 10) * 1000, results: [true, true] },
    ]);
    assert.deepEqual(address?.next, { direct: (now + 60) * 1000, exits: { at: (now + 30) * 1000, names: ['slow'] } });
    assert.deepEqual(address?.route, { way: 'around', exit: 'slow', by: 'a', set: 'blocked4-slow' });
    assert.deepEqual(told.exit, { name: 'slow', why: 'through fast: connect timeout; it is kept as long as it works' });
    assert.deepEqual(
      told.exits.map(({ name, taken }) => `${name} ${taken}`),
      ['fast false', 'slow true'],
    );
    assert.equal(told.dns.next, (now - 60 + 420) * 1000);
  });

  it('counts the confirmations of a failing address, and the answers of one that works again', () => {
    const suspicion = { ...firstFailure, tries: 2, window: [true, false] };
    const recovery = { since: 100, oks: 2, doubts: 1, doubted: false };
    const addresses = new Map([
      [
        '192.0.2.1',
        withPrompt(addressRecord('192.0.2.1', { state: 'ok', reason: 'timeout' }), {
          state: known({ verdict: 'works', suspicion }),
          exits: {},
        }),
      ],
      [
        '192.0.2.2',
        withPrompt(addressRecord('192.0.2.2', { state: 'na' }), {
          state: known({ verdict: 'blocked', recovery }),
          exits: {},
        }),
      ],
    ]);
    const told = explained('a', config(), [{ record: hostRecord('a', { state: 'na' }), addresses }], {});
    const [failing, recovering] = told.addresses;
    assert.deepEqual(failing?.confirming, {
      tries: 2,
      triesNeeded: 2,
      rounds: [true, false],
      needed: 3,
      of: 4,
      downEverywhere: false,
    });
    assert.deepEqual([failing?.verdict, failing?.direct.verdict], ['works', 'fails']);
    assert.deepEqual(recovering?.recovering, {
      for: 400_000,
      needed: 1_800_000,
      answers: 2,
      answersNeeded: 5,
      doubts: 1,
      doubtsAllowed: 3,
    });
    assert.deepEqual([recovering?.verdict, recovering?.direct.verdict], ['blocked', 'works']);
    assert.equal(told.rule, 'one blocked address sends the whole service around: 1 of 2 addresses blocked');
  });

  it('of a state file alone has nothing that is asked next, and durations that stand still', () => {
    const recovery = { since: 400, oks: 2, doubts: 0, doubted: false };
    const record = withPrompt(addressRecord('192.0.2.1', { state: 'na' }), {
      state: known({ verdict: 'blocked', recovery }),
      exits: {},
    });
    const told = explained('a', config(), [
      { record: hostRecord('a', { state: 'na', checked: 5 }), addresses: new Map([['192.0.2.1', record]]) },
    ]);
    assert.equal(told.running, false);
    assert.deepEqual([told.dns.next, told.addresses[0]?.next], [null, { direct: null, exits: null }]);
    assert.equal(told.addresses[0]?.recovering?.for, 80_000);
  });

  it('has the grace periods of the original schedule, in counted time', () => {
    const original = config({ schedule: 'original' });
    const grace = (over: Partial<HostRecord>, text: string) =>
      explained('a', original, [entry('a', over, text)], { counted: 10_000 }).grace;
    assert.deepEqual(grace({ state: 'failing', failingSince: 4000 }, '192.0.2.1=na'), {
      becomes: 'blocked',
      left: 30_000_000,
      of: 36_000_000,
    });
    assert.deepEqual(grace({ state: 'na', changed: 5000 }, '192.0.2.1=ok'), {
      becomes: 'direct',
      left: 142_600_000,
      of: 147_600_000,
    });
    assert.equal(grace({ state: 'ok' }, '192.0.2.1=ok'), null);
  });

  it('says who decides of a shared address, and by which rule', () => {
    const two = (more: ConfigTable = {}) =>
      explained(
        'a',
        config(more),
        [entry('a', { state: 'ok' }, '192.0.2.1=ok'), entry('b', { state: 'na' }, '192.0.2.1=na')],
        {},
      );
    assert.deepEqual(two().conflicts, [
      '192.0.2.1 is shared: b (tunnel) decides against this host (direct), as a need for the way around counts more than a wish for the direct route',
    ]);
    assert.deepEqual(two().addresses[0]?.route, { way: 'around', exit: null, by: 'b', set: 'blocked4' });
    assert.deepEqual(two({ service: [{ host: 'a', priority: 1 }] }).conflicts, [
      '192.0.2.1 is shared: this host (direct) decides against b (tunnel), by its priority',
    ]);
  });

  it('names the sets of exits and of drops, and those of a ruleset of others', () => {
    assert.deepEqual(setsPlace(config()), {
      family: 'inet',
      table: 'netsteward-nbrpc',
      names: ['blocked4', 'blocked6'],
    });
    assert.deepEqual(setsPlace(config({ ...twoExits, when_no_exit: 'drop' })).names, [
      'blocked4-fast',
      'blocked6-fast',
      'blocked4-slow',
      'blocked6-slow',
      'drop4',
      'drop6',
    ]);
    const sets = { family: 'ip', table: 't', blocked4: 'b', direct4: 'd' };
    assert.deepEqual(setsPlace(config({ sets })), { family: 'ip', table: 't', names: ['b', 'd'] });
  });

  it('says how an address is blocked, and what is wrong with the name, where that is known', () => {
    const record = {
      ...addressRecord('192.0.2.1', { state: 'na', reason: 'tls reset' }),
      cause: cause('tls', 'sni', 'reset'),
    };
    const name = { ...hostRecord('a', { state: 'na' }), cause: cause('name', 'junk', '127.0.0.1') };
    const told = explained('a', config(), [{ record: name, addresses: new Map([['192.0.2.1', record]]) }], {});
    assert.match(told.addresses[0]?.direct.reason ?? '', /it is the name \(SNI\)/);
    assert.match(told.dns.problem, /^name: .*127\.0\.0\.1/);
  });

  it('of a service that is never asked says so', () => {
    const check = { type: 'https', path: '/', result: 'na' };
    const told = explained('a', config(), [entry('a', { state: 'na', check }, '192.0.2.1=na')], {});
    const [address] = told.addresses;
    assert.deepEqual(address?.direct, { verdict: 'unknown', reason: 'never asked, as the list decides', asked: null });
    assert.deepEqual(address?.next, { direct: null, exits: null });
  });

  it('of a resolver leaves the address in no set', () => {
    const told = explained(
      'a',
      config({ resolver: { servers: ['192.0.2.1'] } }),
      [entry('a', { state: 'na' }, '192.0.2.1=na')],
      {},
    );
    assert.equal(told.addresses[0]?.route, null);
  });
});

describe('the rule in words', () => {
  const rule = (text: string, votes: string, check = {}) => {
    const all = votes
      .split(' ')
      .filter((each) => each !== '')
      .map((each) => {
        const [address = '', word] = each.split('=');
        return {
          address,
          newest: !each.endsWith('-'),
          tri: word?.startsWith('ok') ? true : word?.startsWith('na') ? false : null,
        };
      });
    return ruleApplied(
      hostRecord('a', { check: { type: 'https', path: '/', result: '', ...check } }),
      policy(text),
      all,
    );
  };

  it('counts the blocked addresses that the policy looks at', () => {
    assert.match(rule('af-all', '192.0.2.1=na 192.0.2.2=?'), /: 1 of 2 addresses blocked, 1 not decided yet$/);
    assert.match(rule('pick.1', '192.0.2.1=na- 192.0.2.2=ok'), /: 0 of 1 address blocked$/);
    assert.match(rule('af-any', '192.0.2.1=na 2001:db8::1=ok'), /\(IPv4 has blocked ones, IPv6 is free of them\)$/);
  });

  it('names what makes checks needless', () => {
    assert.match(rule('noroute', '192.0.2.1=na'), /^its policy keeps it/);
    assert.match(rule('af-all', '', { result: 'na' }), /^the list says "=na"/);
    assert.match(rule('af-all', '', { type: 'dns' }), /^the list says ":dns"/);
    assert.match(rule('af-all', ''), /no known address/);
  });

  it('writes a policy as a list would', () => {
    for (const text of ['af-all', 'pick.4', 'af-any.1', 'noroute', 'af-pick.6DL']) {
      const parsed = parsePolicy(text) as { readonly policy: Policy };
      assert.equal(policyText(parsed.policy), text);
      assert.deepEqual(parsePolicy(policyText(parsed.policy)), parsed);
    }
  });
});

describe('a name that no list has', () => {
  it('is refused with names like it', () => {
    const all = state(entry('www.example.org', {}, ''), entry('exampel.org', {}, ''), entry('other.net', {}, ''));
    assert.throws(() => listedHost('example.org', all), {
      code: 'host-unknown',
      message: 'example.org is in no check list',
      remedy: 'Listed are: www.example.org, exampel.org.',
    });
  });

  it('is found in capitals, and with the dot at its end', () => {
    assert.equal(listedHost('Example.ORG.', state(entry('example.org', {}, ''))), 'example.org');
  });

  it('has no likes among names that are merely as long', () => {
    assert.deepEqual(similarNames('abc.de', ['xyz.fr', 'abd.de', 'a.b.abc.de']), ['a.b.abc.de', 'abd.de']);
  });
});

describe('the place in a list', () => {
  it('is that of the last token of the host', () => {
    const text = '# a.b\na.b\n  x.y a.b>pick:https=200 # a.b\na.bc\n';
    assert.deepEqual(placeOf(text, '/l', 'a.b'), { file: '/l', line: 3, token: 'a.b>pick:https=200' });
    assert.equal(placeOf(text, '/l', 'b'), undefined);
  });
});
