/** How a service fails through an exit: kept beside the reason, told as for the direct route, forgotten when it works there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNbrpc } from '../../../src/nbrpc/config.ts';
import { unfailed } from '../../../src/nbrpc/exit-choice.ts';
import { explainHost } from '../../../src/nbrpc/explain.ts';
import { explainingOf } from '../../../src/nbrpc/explaining.ts';
import type { AddressRecord, CheckResult } from '../../../src/nbrpc/model.ts';
import { decidePrompt, type PromptResult } from '../../../src/nbrpc/prompt/decide.ts';
import { LiveStates } from '../../../src/nbrpc/prompt/live.ts';
import { type PromptRecord, promptRecordOf, promptRecordText } from '../../../src/nbrpc/prompt/record.ts';
import { promptDefaults } from '../../../src/nbrpc/prompt/settings.ts';
import { cause } from '../../../src/nbrpc/reason.ts';
import { contractLimits, contractTimers } from '../../../src/nbrpc/settings.ts';
import { hostsStatus } from '../../../src/nbrpc/status.ts';
import { entry, policy, state } from './build-state.ts';

const check = { type: 'https', path: '/', result: '' };
const settings = {
  timers: contractTimers,
  limits: contractLimits,
  defaultPolicy: policy('af-all'),
  prompt: promptDefaults,
  exits: ['fast', 'slow'],
};
const ok: CheckResult = { kind: 'ok' };
const reset: CheckResult = { kind: 'fail', reason: 'tls reset', cause: cause('tls', 'reset') };
const silent: CheckResult = { kind: 'fail', reason: 'timeout on connect', cause: cause('connect', 'timeout') };
const bare: CheckResult = { kind: 'fail', reason: 'status 500, expected 200' };

/** Rounds of one address that fails directly; each says what `fast` and `slow` bring. */
function after(...rounds: readonly (readonly [fast: CheckResult, slow: CheckResult])[]) {
  const results = rounds.flatMap(([fast, slow], index): PromptResult[] => {
    const common = { host: 'a', address: '9.9.9.1', check, at: 20 * (index + 1) };
    return [
      { ...common, direct: reset, exits: null },
      { ...common, direct: null, exits: new Map(Object.entries({ fast, slow })) },
    ];
  });
  const live = new LiveStates(promptDefaults);
  const inputs = { now: 5000, counted: 5000, at: 1000, lists: [], resolved: [], results, dead: new Set<string>() };
  const before = state(entry('a', { state: 'ok' }, '9.9.9.1=ok'));
  const decision = decidePrompt(before, settings, { ...inputs, choose: false }, (host: string, record: AddressRecord) =>
    live.of(host, record, 0),
  );
  const host = decision.changes.hosts[0]?.after ?? assert.fail('nothing changed');
  return { host, prompt: host.addresses.get('9.9.9.1')?.prompt ?? assert.fail('nothing is known') };
}

const five = (fast: CheckResult) => [1, 2, 3, 4, 5].map(() => [fast, ok] as const);

describe('the cause of a failure through an exit', () => {
  it('is kept with the newest result through that exit, until one works or nothing counts any more', () => {
    const { exits } = after(...five(silent)).prompt;
    assert.deepEqual([exits.fast?.cause, exits.slow?.cause], [cause('connect', 'timeout'), undefined]);
    const last = (fast: CheckResult) => after([silent, ok], [fast, ok]).prompt.exits.fast;
    assert.deepEqual(last(reset)?.cause, cause('tls', 'reset'));
    for (const other of [ok, bare]) assert.equal('cause' in (last(other) ?? {}), false, other.kind);
    assert.equal('cause' in unfailed(exits.fast ?? assert.fail(), 9), false);
  });

  it('is in the state file, cleaned, and left out where it is none that this version knows', () => {
    const { prompt } = after(...five(silent));
    const text = promptRecordText(prompt);
    const { place, now } = prompt.state;
    assert.deepEqual(promptRecordOf(text), { state: { place, now }, exits: prompt.exits });
    const strange = (code: string, detail: string): PromptRecord['exits'] | undefined =>
      promptRecordOf(text.replace('"code":"timeout","detail":""', `"code":"${code}","detail":"${detail}"`))?.exits;
    const { cause: _, ...rest } = prompt.exits.fast ?? assert.fail();
    assert.deepEqual(strange('of-tomorrow', '')?.fast, rest, 'the reason is left');
    assert.equal(strange('timeout', '\\u001b[2J')?.fast?.cause?.detail.includes('\u001b'), false);
    for (const nothing of ['7', 'null', '"x"', '[]']) {
      const read = promptRecordOf(text.replace(/"cause":\{[^}]*\}/, `"cause":${nothing}`));
      assert.deepEqual(read?.exits.fast, rest, nothing);
    }
  });

  it('is told in an explanation as that of the direct route, and why the first exit is not taken', () => {
    const { host } = after(...five(silent));
    const parsed = parseNbrpc({
      check_lists: ['/l'],
      exit: [
        { name: 'fast', source: ['10.9.0.2'] },
        { name: 'slow', source: ['10.8.0.2'], mark: 0x20000 },
      ],
      table: { mask: 0x30000 },
    });
    assert.ok(parsed.ok);
    const told = explainHost('a', explainingOf('a', parsed.config, state(host), 5000_000, [], undefined));
    const [address] = told?.addresses ?? [];
    assert.equal(address?.direct.reason, 'TLS: reset on the ClientHello');
    assert.deepEqual(
      address?.exits.map(({ name, reason }) => [name, reason]),
      [
        ['fast', 'connect: no answer'],
        ['slow', ''],
      ],
    );
    assert.match(told?.exit?.why ?? '', /^through fast: connect: no answer; /);
    const plain = after(...five(bare)).host;
    const other = explainHost('a', explainingOf('a', parsed.config, state(plain), 5000_000, [], undefined));
    assert.equal(other?.addresses[0]?.exits[0]?.reason, 'status 500, expected 200', 'nobody knows more');
  });

  it('is in the status, by exit, where there is one', () => {
    const of = (host: ReturnType<typeof after>['host']) =>
      hostsStatus(state(host), policy('af-all'), { blocked: new Set(), whyUnchecked: () => undefined }).hosts[0]
        ?.addresses[0];
    assert.deepEqual(of(after(...five(silent)).host)?.exitCauses, {
      fast: { kind: 'connect', code: 'timeout', text: 'connect: no answer' },
    });
    assert.equal('exitCauses' in (of(after(...five(bare)).host) ?? {}), false);
  });
});
