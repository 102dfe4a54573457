/** The files that a running nbrpc writes: zone files and the state log. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bench, hour } from './original-bench.ts';

describe('nbrpc', () => {
  it('keeps its zone files and its state log, and warns while they cannot be', async () => {
    const bench = new Bench('a.example b.example');
    bench.resolver.answer('a.example', '9.9.9.9');
    const table = {
      zone: [
        { format: 'hosts', file: '/z', select: '^a', reload: ['reload', 'it'] },
        { format: 'dnsmasq', file: '/y' },
      ],
      state_log: { file: '/l' },
    };
    const running = await bench.start(table);
    assert.equal(bench.output.content.get('/z'), undefined, 'nothing is known yet');
    await bench.clock.advance(0);
    assert.equal(bench.output.content.get('/z'), '9.9.9.9 a.example\n');
    assert.equal(bench.output.content.get('/y'), 'local=/a.example/\nhost-record=a.example,9.9.9.9\n');
    assert.deepEqual(
      bench.commands.requests.map(({ argv }) => argv.join(' ')),
      ['reload it'],
    );
    assert.match(bench.output.content.get('/l') ?? '', / a\.example: unknown -> ok\t/);
    bench.output.failure = 'EROFS';
    bench.resolver.answer('a.example', '9.9.9.8');
    await bench.clock.advance(10 * 60_000);
    const codes = () =>
      running
        .health()
        .warnings.map(({ code, subject }) => `${code} ${subject}`)
        .filter((text) => !text.startsWith('names'))
        .sort();
    assert.deepEqual(codes(), ['state-log-failing /l', 'zone-not-written /y', 'zone-not-written /z']);
    bench.output.failure = undefined;
    await bench.clock.advance(4 * 60_000);
    assert.deepEqual(codes(), []);
    assert.equal(bench.output.content.get('/z'), '9.9.9.8 a.example\n9.9.9.9 a.example\n');
    await running.reload(bench.configOf({ zone: [{ format: 'hosts', file: '/x' }] }));
    await bench.clock.advance(0);
    assert.equal(bench.output.content.get('/x'), '9.9.9.8 a.example\n9.9.9.9 a.example\n');
    await running.stop('shutdown');
  });

  it('never empties a zone file before it knows any name', async () => {
    const bench = new Bench('a.example b.example');
    bench.output.content.set('/z', '9.9.9.9 a.example\n');
    const running = await bench.start({
      zone: [{ format: 'hosts', file: '/z' }],
      control: { services: ['c.example'] },
    });
    await bench.clock.advance(hour);
    assert.equal(bench.output.content.get('/z'), '9.9.9.9 a.example\n');
    bench.resolver.answer('c.example', '9.9.9.11');
    bench.resolver.answer('b.example', '9.9.9.10');
    await bench.clock.advance(hour);
    assert.equal(bench.output.content.get('/z'), '9.9.9.10 b.example\n');
    await running.stop('shutdown');
  });
});
