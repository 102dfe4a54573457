/** The catalogue of events: each is a line that the source really logs, and reads as a sentence. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventCatalogue, eventOf, eventText, isEventCode } from '../../../src/core/events.ts';
import { moduleNames } from '../../../src/core/module.ts';
import { checkout } from '../../checkout.ts';

interface Entry {
  readonly module: string;
  readonly line: string;
  readonly when?: Readonly<Record<string, string>>;
  readonly subject?: string;
  readonly text: string;
  readonly fields?: readonly string[];
}

const entries: readonly (readonly [string, Entry])[] = Object.entries(eventCatalogue);

function textOf(folder: string): string {
  return readdirSync(join(checkout, 'src', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(checkout, 'src', folder, file), 'utf8'))
    .join('\n');
}

test('every line of the catalogue is logged by the part of the source that it names', () => {
  const own = textOf('supervisor') + textOf('cli');
  // dnstest makes its names from the kind of what happened.
  const resolverLines = [...textOf('dnstest').matchAll(/^ {2}\| '([\w-]+)'/gm)].map(([, kind]) => `'resolver-${kind}'`);
  for (const [code, { module, line }] of entries) {
    const source = moduleNames.some((name) => name === module) ? textOf(module) : own;
    const warning = `\`warning-\${change}\``;
    const found = line.startsWith('warning-')
      ? source.includes(warning)
      : `${source}${resolverLines}`.includes(`'${line}'`);
    assert.ok(found, `${code}: nothing in ${module} logs ${line}`);
  }
});

test('every word that a text stands open for is kept with the event', () => {
  for (const [code, { text, subject, fields = [] }] of entries) {
    for (const [, name = ''] of text.matchAll(/\{(\w+)\}/g)) {
      const kept = fields.includes(name) || (name === 'subject' && subject !== undefined);
      assert.ok(kept, `${code}: {${name}}`);
    }
  }
});

test('a line that the catalogue describes is the event of that entry, and no other', () => {
  for (const [code, { module, line, when, subject, fields = [] }] of entries) {
    const about = module === 'netsteward' ? {} : { module: module === 'any' ? 'dyndns' : module };
    const values = Object.fromEntries(
      [...fields, ...(subject === undefined ? [] : [subject])].map((name) => [name, 'x']),
    );
    const event = eventOf(5, line, { ...values, ...about, ...when });
    assert.equal(event?.code, code);
    assert.equal(event?.at, 5);
    assert.doesNotMatch(eventText(event ?? assert.fail()), /unknown|\{/, code);
  }
});

test('a flip reads as what happened to the service, and why', () => {
  const line = {
    module: 'nbrpc',
    host: 'a.example',
    from: 'direct',
    to: 'tunnel',
    addresses: ['1.2.3.4'],
    reason: 'reset',
  };
  const event = eventOf(1, 'flip', line);
  assert.deepEqual(event, {
    at: 1,
    module: 'nbrpc',
    code: 'service-rerouted',
    subject: 'a.example',
    fields: { from: 'direct', reason: 'reset', addresses: '1.2.3.4' },
  });
  assert.equal(eventText(event ?? assert.fail()), 'a.example goes through the tunnel: reset');
});

test('of a cgroup the unit is the subject', () => {
  const fields = { module: 'cgroup-nft', path: 'system.slice/nginx.service', id: '4711' };
  for (const line of ['cgroup-applied', 'cgroup-gone']) {
    const event = eventOf(1, line, fields);
    assert.equal(event?.subject, 'nginx.service');
    assert.deepEqual(event?.fields, { path: 'system.slice/nginx.service', id: '4711' });
  }
});

test('a warning belongs to the module whose line it is, and to netsteward without one', () => {
  const fields = { code: 'own-side-broken', subject: '', text: 'x' };
  assert.equal(eventOf(1, 'warning-raised', { ...fields, module: 'nbrpc' })?.module, 'nbrpc');
  assert.equal(eventOf(1, 'warning-raised', fields)?.module, 'netsteward');
});

test('lines of the same name from elsewhere are no events', () => {
  assert.equal(eventOf(1, 'flip', { module: 'dyndns', host: 'x', to: 'tunnel' }), undefined);
  assert.equal(eventOf(1, 'ready', { module: 'nbrpc' }), undefined);
  assert.equal(eventOf(1, 'flip', { module: 'nbrpc', host: 'x', to: 'unknown' }), undefined);
  assert.equal(eventOf(1, 'toString', {}), undefined);
  assert.ok(!isEventCode('toString'));
});

test('a list in a line may hold what has no text', () => {
  const host = ['a.example', { toString: 1 }, Object.create(null), 7];
  const event = eventOf(1, 'flip', { module: 'nbrpc', to: 'tunnel', host, took: 42.5 });
  assert.deepEqual([event?.subject, event?.fields], ['a.example, ?, ?, 7', { took: '42.5' }]);
});

test('whatever a line carries, its event is bounded plain data that is JSON', () => {
  const value = fc.oneof(fc.string({ maxLength: 5000 }), fc.anything(), fc.array(fc.string(), { maxLength: 100 }));
  const fields = fc.record({ host: value, reason: value, addresses: value, since: value }, { requiredKeys: [] });
  fc.assert(
    fc.property(fields, (found) => {
      const event = eventOf(1, 'flip', { ...found, module: 'nbrpc', to: 'tunnel' }) ?? assert.fail();
      assert.deepEqual(JSON.parse(JSON.stringify(event)), event);
      assert.ok(event.subject.length <= 512);
      for (const text of Object.values(event.fields)) assert.ok(text.length <= 500);
      eventText(event);
    }),
  );
});
