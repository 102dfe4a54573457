/** Who may ask the status page: names in Host, origins, tokens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Binding, parseBinding } from '../../../../src/supervisor/page/binding.ts';
import { type Asked, refuseHost, refuseOrigin, refuseToken } from '../../../../src/supervisor/page/guard.ts';

const nothing: Asked = { host: undefined, origin: undefined, fetchSite: undefined, authorization: undefined };
const at = (text: string): Binding => parseBinding(text) ?? assert.fail(text);

test('on this machine the page answers to localhost and its own address, with any port, and to no other name', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['unix:/run/p.sock', 'localhost', true],
    ['unix:/run/p.sock', 'LOCALHOST:9000', true],
    ['unix:/run/p.sock', '[::1]:8053', true],
    ['127.0.0.1:8053', '127.0.0.1:8053', true],
    ['127.0.0.7:8053', '127.0.0.7:1', true],
    ['[::1]:8053', '[::1]:8053', true],
    ['127.0.0.1:8053', 'localhost.evil.example', false],
    ['127.0.0.1:8053', 'evil.example:8053', false],
    ['127.0.0.1:8053', '', false],
    ['unix:/run/p.sock', '192.0.2.1', false],
    ['127.0.0.1:8053', 'localhost:8053:1', false],
    ['127.0.0.1:8053', 'evil@localhost', false],
  ];
  for (const [listen, host, good] of cases) {
    assert.equal(refuseHost(at(listen), { ...nothing, host })?.status, good ? undefined : 421, `${listen} ${host}`);
  }
});

test('where other machines are let in, it is the token that decides, under whatever name', () => {
  assert.equal(refuseHost(at('192.0.2.1:8053'), { ...nothing, host: 'router.lan' }), undefined);
});

test('a request from a page of another site is refused, one from this page or from no page is not', () => {
  const host = 'localhost:8053';
  for (const good of [{}, { origin: 'http://localhost:8053' }, { fetchSite: 'same-origin' }, { fetchSite: 'none' }]) {
    assert.equal(refuseOrigin({ ...nothing, host, ...good }), undefined, JSON.stringify(good));
  }
  for (const bad of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:8054' },
    { origin: 'http://localhost:8053', fetchSite: 'cross-site' },
    { fetchSite: 'same-site' },
  ]) {
    assert.equal(refuseOrigin({ ...nothing, host, ...bad })?.status, 403, JSON.stringify(bad));
  }
});

test('nothing but the whole token is the token', () => {
  const token = 'correct-horse-battery';
  const status = (authorization: string | undefined) => refuseToken(token, { ...nothing, authorization })?.status;
  assert.equal(status(`Bearer ${token}`), undefined);
  assert.equal(status(`bearer  ${token} `), undefined);
  assert.equal(status(undefined), 401);
  assert.equal(status(`Basic ${token}`), 401);
  for (const wrong of [`${token}x`, token.slice(1), token.toUpperCase(), `${token} ${token}`]) {
    assert.ok([401, 403].includes(status(`Bearer ${wrong}`) ?? 0), wrong);
  }
  const none = refuseToken(undefined, { ...nothing, authorization: 'Bearer undefined' });
  assert.equal(none?.status, 403);
  assert.match(none?.remedy ?? '', /page\.token_file/);
});
