/** Expected codes of a check. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeCodes, expectationOf } from '../../../src/nbrpc/expectation.ts';

const of = (type: string, result: string) => {
  const expectation = expectationOf({ type, path: '/', result });
  return expectation.kind === 'http' ? [expectation.scheme, ...expectation.codes] : expectation.kind;
};

describe('the expectation of a check', () => {
  it('is 200, 301 or 302 where nothing is said', () => {
    assert.deepEqual(of('https', ''), ['https', 200, 301, 302]);
    assert.deepEqual(of('http', ''), ['http', 200, 301, 302]);
  });
  it('is the codes that are said, an empty item being -1', () => {
    assert.deepEqual(of('https', '200/503'), ['https', 200, 503]);
    assert.deepEqual(of('https', '200/'), ['https', 200, -1]);
    assert.deepEqual(of('https', '0'), ['https', 0]);
  });
  it('is never met with na, for dns too', () => {
    assert.equal(of('https', 'na'), 'never');
    assert.equal(of('dns', 'na'), 'never');
  });
  it('is always met for dns', () => assert.equal(of('dns', ''), 'always'));
  it('is unknown for any other type, and for a result that is none', () => {
    assert.equal(of('https:8443', ''), 'unknown');
    assert.equal(of('', 'na'), 'unknown');
    assert.equal(of('https', 'b=c'), 'unknown');
  });
  it('reads as a person says it', () => {
    assert.equal(describeCodes(new Set([200])), '200');
    assert.equal(describeCodes(new Set([200, 503])), '200 or 503');
    assert.equal(describeCodes(new Set([200, 301, 302])), '200, 301 or 302');
  });
});
