/** The verdict of a probe and its reason. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, ProbeSource, requestPath } from '../../../src/nbrpc/checker.ts';
import type { ProbeOutcome } from '../../../src/system/ports.ts';
import { FakeHttpProbe } from '../../fakes/fake-http-probe.ts';

const codes = new Set([200, 301, 302]);
const verdict = (outcome: ProbeOutcome): string => {
  const result = judge(outcome, codes);
  return result.kind === 'fail' ? result.reason : result.kind === 'untried' ? `untried: ${result.detail}` : result.kind;
};
const answer = (status: number): ProbeOutcome => ({ kind: 'answer', status, bytes: 1, location: undefined });
const failure = (stage: 'connect' | 'tls' | 'http' | 'body', reason: string, status?: number): ProbeOutcome => ({
  kind: 'failure',
  stage,
  reason,
  detail: '',
  ...(status === undefined ? {} : { status }),
});

describe('the verdict of a probe', () => {
  it('is ok exactly for the expected codes', () => {
    assert.equal(verdict(answer(301)), 'ok');
    assert.equal(verdict(answer(403)), 'status 403, expected 200, 301 or 302');
  });

  it('names the stage and the reason of a failure', () => {
    assert.equal(verdict(failure('tls', 'reset')), 'tls reset');
    assert.equal(verdict(failure('connect', 'timeout')), 'timeout on connect');
    assert.equal(verdict(failure('tls', 'certificate')), 'tls certificate');
  });

  it('is a failure when the right code came and the body did not', () => {
    assert.equal(verdict(failure('body', 'timeout', 200)), 'timeout on body');
    assert.equal(verdict(failure('body', 'reset', 403)), 'status 403, expected 200, 301 or 302');
  });

  it('is none when this machine could not try', () => {
    assert.equal(verdict({ kind: 'local-failure', detail: 'EMFILE' }), 'untried: EMFILE');
  });

  it('never carries control characters', () => assert.equal(verdict(failure('tls', 'a\u001b[2J')), 'tls a\\x1b[2J'));
});

describe('the request of a check', () => {
  it('is for the host at the one address, without the trailing dot of the name', async () => {
    const probe = new FakeHttpProbe();
    const source = new ProbeSource(probe, { timeout: 5000, bodyLimit: 100 });
    const check = { type: 'http', path: '/x?k=v', result: '' };
    await source.check({ host: 'A.Example.', address: '9.9.9.9', check }, codes, new AbortController().signal);
    assert.deepEqual(probe.requests, [
      { scheme: 'http', host: 'A.Example', address: '9.9.9.9', path: '/x?k=v', timeout: 5000, bodyLimit: 100 },
    ]);
  });

  it('has a path that can stand in a request line', () =>
    assert.equal(requestPath('/é€/😀%20?a=b'), '/%C3%A9%E2%82%AC/%F0%9F%98%80%20?a=b'));
});
