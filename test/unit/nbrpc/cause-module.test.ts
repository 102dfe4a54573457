/** How a service is blocked, as a running nbrpc keeps and tells it; and "check now". On fakes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunningModule } from '../../../src/core/module.ts';
import type { NbrpcConfig } from '../../../src/nbrpc/config.ts';
import { answerTo, FakeDnsTransport } from '../../fakes/fake-dns-transport.ts';
import { detailOf, FakeNbrpcHost, hostOf } from '../../fakes/fake-nbrpc-host.ts';

const minute = 60_000;
const silent = { kind: 'failure', stage: 'tls', reason: 'timeout', detail: '', facts: { wire: 0 } } as const;
const sentence = 'TLS: no answer to the ClientHello; the same address answers to another name, so it is the name (SNI)';

class Bench extends FakeNbrpcHost {
  override readonly dns = new FakeDnsTransport();

  constructor(list: string) {
    super(list, { control: { services: ['control.example:https=200'] }, schedule: 'prompt' });
    this.resolver.answer('control.example', '9.9.9.1');
    this.resolver.answer('a.example', '9.9.9.9');
  }

  /** Each cause that the service is shown with, in turn, until `last` is; within so many minutes. */
  async causes(running: RunningModule<NbrpcConfig>, host: string, last: string, most: number): Promise<string[]> {
    const seen: string[] = [];
    for (let second = 0; second < most * 60; second++) {
      const code = hostOf(running, host)?.cause?.code ?? 'none';
      if (seen.at(-1) !== code) seen.push(code);
      if (code === last) return seen;
      await this.clock.advance(1000);
    }
    return assert.fail(`not within ${most} minutes: ${seen.join(', ')}`);
  }
}

for (const schedule of ['prompt', 'original'] as const) {
  describe(`how a service is blocked, with schedule = "${schedule}"`, () => {
    const quick = { host_na_state: '1m', host_ok_state: '1m', addr_state: '1m', host_addrs: '1m', pass: '10s' };
    const table = { schedule, ...(schedule === 'original' ? { timers: quick } : {}) };

    it('is first what the check saw, then what a second look found, which stays; and nothing once it works', async () => {
      const bench = new Bench('a.example');
      const running = await bench.start(table);
      await bench.clock.advance(20 * minute);
      assert.equal(hostOf(running, 'a.example')?.cause, null);

      let toNeutral = 0;
      bench.probe.delay = async ({ host }) => {
        if (host === 'example.com') toNeutral += 1;
        // Until then the failure stands as the check saw it.
        if (host === 'example.com') await new Promise<void>((resolve) => bench.clock.after(5000, () => resolve()));
      };
      bench.probe.set('a.example', '*', silent);
      assert.deepEqual(await bench.causes(running, 'a.example', 'sni', 15), ['none', 'tls-silent', 'sni']);
      assert.deepEqual(hostOf(running, 'a.example')?.cause, { kind: 'tls', code: 'sni', text: sentence });
      assert.deepEqual(hostOf(running, 'a.example')?.addresses[0]?.cause?.code, 'sni');
      assert.deepEqual(detailOf(running).byCause, { name: 0, connect: 0, tls: 1, http: 0, transfer: 0 });
      await bench.clock.advance(45 * minute);
      assert.equal(hostOf(running, 'a.example')?.cause?.code, 'sni');
      assert.ok(toNeutral <= 3, `${toNeutral} looks in an hour`);
      await running.stop('restart');

      const again = await bench.start(table);
      assert.equal(hostOf(again, 'a.example')?.cause?.code, 'sni', 'it is kept with the state');
      bench.probe.works('a.example');
      assert.deepEqual(await bench.causes(again, 'a.example', 'none', 30), ['sni', 'none']);
      await again.stop('shutdown');
    });

    it('is of the name where that gives no address, with what a second resolver says of it', async () => {
      const bench = new Bench('a.example');
      bench.resolver.answer('a.example', '10.66.66.66');
      bench.dns.script = ({ bytes, type }) => answerTo(bytes, type === 'A' ? { addresses: ['9.9.9.9'] } : {});
      const running = await bench.start({ ...table, resolver: { second: ['9.9.9.53'] } });
      await bench.causes(running, 'a.example', 'junk', 15);
      await bench.clock.advance(minute);
      assert.match(
        hostOf(running, 'a.example')?.cause?.text ?? '',
        /^name: .* \(10\.66\.66\.66; 9\.9\.9\.53 answers 9\.9\.9\.9\)$/,
      );
      bench.resolver.answer('a.example', '9.9.9.9');
      await bench.causes(running, 'a.example', 'none', 20);
      await running.stop('shutdown');
    });

    it('asks no second resolver while all is well, and none at all without one', async () => {
      const bench = new Bench('a.example');
      const running = await bench.start({ ...table, resolver: { second: ['9.9.9.53'] } });
      await bench.clock.advance(30 * minute);
      assert.deepEqual(bench.dns.seen, []);
      await running.stop('shutdown');
      bench.probe.set('a.example', '*', { kind: 'failure', stage: 'connect', reason: 'timeout', detail: '' });
      const second = await bench.start(table);
      await bench.causes(second, 'a.example', 'timeout', 30);
      await bench.clock.advance(30 * minute);
      assert.deepEqual(bench.dns.seen, []);
      await second.stop('shutdown');
    });
  });
}

describe('a redirect over plain HTTP to another site', () => {
  const away = { kind: 'answer', status: 302, bytes: 0, location: 'http://law.test/why' } as const;

  it('fails under the prompt schedule, unless the list names its code; and tells where it leads', async () => {
    const bench = new Bench('a.example:http b.example:http=302 c.example:http');
    for (const host of ['a.example', 'b.example']) bench.probe.set(host, '*', away);
    bench.probe.set('c.example', '*', { ...away, location: 'https://www.c.example/' });
    bench.resolver.answer('b.example', '9.9.9.10');
    bench.resolver.answer('c.example', '9.9.9.11');
    const running = await bench.start();
    await bench.clock.advance(20 * minute);
    const told = ['a.example', 'b.example', 'c.example'].map((name) => hostOf(running, name)?.cause?.text ?? 'well');
    assert.deepEqual(told, ['HTTP: sent to another site: 302 to http://law.test/why', 'well', 'well']);
    const [flip] = bench.log.of('flip');
    assert.equal(flip?.fields.reason, 'HTTP: sent to another site: 302 to http://law.test/why');
    const blocked = bench.log.of('host-state').find(({ fields }) => fields.to === 'na');
    assert.equal(blocked?.fields.reason, 'HTTP: sent to another site: 302 to http://law.test/why');
    await running.stop('shutdown');
  });

  it('is as good as any under the original schedule', async () => {
    const bench = new Bench('a.example:http');
    bench.probe.set('a.example', '*', away);
    const running = await bench.start({ schedule: 'original' });
    await bench.clock.advance(20 * minute);
    const host = hostOf(running, 'a.example');
    assert.deepEqual([host?.state, host?.cause], ['ok', null]);
    await running.stop('shutdown');
  });
});

describe('"check now"', () => {
  for (const schedule of ['prompt', 'original'] as const) {
    it(`asks all addresses of a host at once, with schedule = "${schedule}"`, async () => {
      const bench = new Bench('a.example b.example');
      bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.10');
      bench.resolver.answer('b.example', '9.9.9.11');
      const running = await bench.start({ schedule });
      await bench.clock.advance(30 * minute);
      bench.probe.requests.length = 0;
      const before = bench.clock.now();
      const text = await running.command?.('check', 'A.example.');
      assert.equal(text, 'a.example is being checked: its 2 addresses on the direct route.');
      await bench.clock.advance(1000);
      const asked = bench.probe.requests.filter(({ host }) => host === 'a.example').map(({ address }) => address);
      assert.deepEqual(asked.sort(), ['9.9.9.10', '9.9.9.9']);
      const shown = hostOf(running, 'a.example')?.addresses ?? [];
      assert.ok(shown.length === 2 && shown.every(({ checked }) => (checked ?? 0) >= before), 'and shows it at once');
      await running.stop('shutdown');
    });
  }

  it('says what stands against it', async () => {
    const bench = new Bench('a.example fixed.example:dns lost.example');
    bench.resolver.answer('fixed.example', '9.9.9.12');
    const running = await bench.start();
    await bench.clock.advance(10 * minute);
    const refused = (host: string) => running.command?.('check', host) ?? assert.fail('no command');
    await assert.rejects(refused('other.example'), { code: 'host-unknown', message: /^other\.example is in no check/ });
    await assert.rejects(refused('fixed.example'), {
      code: 'check-not-possible',
      message: /the list says what is true/,
    });
    await assert.rejects(refused('lost.example'), { code: 'check-not-possible', message: /no address of it can be/ });
    assert.match(await refused('a.example'), /^a\.example is being checked: its address/);
    assert.match(await refused('a.example'), /^a\.example was checked just now/);
    bench.probe.blocked('control.example');
    bench.probe.blocked('a.example');
    await bench.clock.advance(20 * minute);
    await assert.rejects(refused('a.example'), { code: 'check-not-possible', message: /its own side first/ });
    await running.stop('shutdown');
  });
});
