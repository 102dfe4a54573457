/** Which errors are the peer's, which are this machine's, and in which words. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clean, connectFailure, exchangeFailure } from '../../../../src/system/linux/http-probe-failure.ts';

const system = (code: string): Error =>
  Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code, syscall: 'connect' });

describe('a failed connect', () => {
  it('is the machine’s own fault when connect(2) failed at once: nothing was sent', () => {
    for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'EADDRNOTAVAIL']) {
      assert.equal(connectFailure(system(code), false).kind, 'local-failure', code);
    }
  });

  it('is unreachable when the same errno came later, from ICMP', () => {
    for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'ENOPROTOOPT']) {
      const outcome = connectFailure(system(code), true);
      assert.ok(outcome.kind === 'failure', code);
      assert.equal(outcome.reason, 'unreachable', code);
    }
  });

  it('is the machine’s own fault without descriptors, memory or ports, whenever that shows', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRINUSE', 'EADDRNOTAVAIL']) {
      assert.equal(connectFailure(system(code), true).kind, 'local-failure', code);
    }
  });

  it('is refused, reset or timed out as the kernel says, even on loopback, where it knows at once', () => {
    const reasons = { ECONNREFUSED: 'refused', ECONNRESET: 'reset', ETIMEDOUT: 'timeout' };
    for (const [code, reason] of Object.entries(reasons)) {
      for (const sent of [true, false]) {
        const outcome = connectFailure(system(code), sent);
        assert.ok(outcome.kind === 'failure', code);
        assert.deepEqual([outcome.stage, outcome.reason], ['connect', reason]);
      }
    }
  });
});

describe('a failed exchange', () => {
  it('keeps the status once the headers had come', () => {
    const outcome = exchangeFailure(system('ECONNRESET'), 'body', 200);
    assert.ok(outcome.kind === 'failure');
    assert.deepEqual([outcome.stage, outcome.reason, outcome.status], ['body', 'reset', 200]);
  });

  it('shows OpenSSL’s reason, not its whole line', () => {
    const error = Object.assign(new Error('40E7:error:0A00010B:SSL routines:a:b:../deps/c.c:1:'), {
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
      reason: 'wrong version number',
    });
    const outcome = exchangeFailure(error, 'tls', undefined);
    assert.ok(outcome.kind === 'failure');
    assert.deepEqual(
      [outcome.reason, outcome.detail],
      ['protocol', 'wrong version number (ERR_SSL_WRONG_VERSION_NUMBER)'],
    );
  });
});

describe('the detail', () => {
  it('is one short line without control characters, whatever strangers sent', () => {
    assert.equal(clean('a\u001b[31mb\nc'), 'a\\x1b[31mb\\nc');
    assert.equal(clean('x'.repeat(1e6)).length, 200);
    assert.equal(clean('\u0000'.repeat(1e6)).length, 200);
  });
});
