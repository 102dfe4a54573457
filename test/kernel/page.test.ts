/** The status page in a real Chromium, against a made-up router. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import type { PageState } from '../../src/supervisor/page/shapes.ts';
import { answers, hostName, pageState, stateOfHost } from '../fakes/page-answers.ts';
import { PageServer } from '../fakes/page-server.ts';
import { faintTexts, noBrowser, pageFolder, Sight, startBrowser } from './page-sight.ts';

const now = Date.now();
const scene = { now, hosts: 60 };

describe('the status page in Chromium', { skip: noBrowser }, () => {
  let browser: Browser;
  let server: PageServer;

  before(async () => {
    browser = await startBrowser();
    server = new PageServer(pageFolder, answers(scene));
    await server.start();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A server of the test's own, with another state. */
  async function withState(state: PageState, work: (server: PageServer) => Promise<void>): Promise<void> {
    const own = new PageServer(pageFolder, { ...answers(scene), state });
    await own.start();
    try {
      await work(own);
    } finally {
      await own.stop();
    }
  }

  test('shows every module in words, asks nobody else and breaks no rule of its policy', async () => {
    const sight = await (await Sight.open(browser, server.url)).drawn();
    assert.equal(
      await sight.text('#overall'),
      '60 services: 1 dropped, 3 through the tunnel, 1 failing, 1 down, 1 that cannot be checked, 53 direct; 1 error and 1 warning',
    );
    assert.match(await sight.text('#warnings'), /Error: the resolver 192\.0\.2\.53 fails.*Look at its log/);
    assert.match(await sight.text('#modules'), /dyndns\s+2 names, 1 zone/);
    assert.match(await sight.text('#exits'), /fra\s+✓ works, 31 ms\s+2 services, 5 addresses \(71 %\); up for 3 d/);
    assert.match(await sight.text('#exits'), /home\s+! works for nothing\s+timeout on connect.*; down for 42 min/);
    assert.match(
      await sight.text('#reactions'),
      /reroute\s+1 min 11 s\s+3 min 34 s\s+14\s+release\s+31 min 31 s\s+1 h 2 min\s+12[\s\S]*news0\.example rerouted: 1 min 4 s/,
    );
    assert.match(await sight.text('#rules'), /postfix\.service\s+in force\s+group mail: 120,933 packets, 88\.1 MB/);
    assert.match(await sight.text('#rules'), /torrent\.service\s+not in force/);
    assert.match(await sight.text('#names'), /home\.example\.org\s+192\.0\.2\.77\s+heard 4 min ago/);
    await sight.page.locator('#resolvers li:nth-child(2)').scrollIntoViewIfNeeded();
    await sight.page.waitForSelector('#resolvers li:nth-child(2) .plot canvas');
    assert.match(await sight.text('#resolvers'), /192\.0\.2\.53\s+! fails[\s\S]*failed: timeout \d+/);
    assert.match(await sight.text('#events'), /home\.example\.org moved from 192\.0\.2\.70/);
    assert.deepEqual((await sight.rows()).slice(0, 7), [
      'dropped | maps35.example | no exit works · TLS: reset on the ClientHello; the same address answers to another name, so it is the name (SNI)',
      'down | cdn30.example | nxdomain',
      'failing | chat20.example | status 403, expected 200 at 198.51.100.3',
      'tunnelled | mail10.example | via ams · TLS: reset on the ClientHello at 192.0.2.11',
      'tunnelled | mail50.example | via fra · certificate of another name at 192.0.2.80',
      'tunnelled | news0.example | via fra · timeout on connect at 192.0.2.7, and 1 of 2 addresses',
      'unknown | news40.example | nxdomain',
    ]);
    await sight.close();
  });

  test('names, reasons and everything else from outside are text, never markup', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>alert(1)</script>';
    const state = pageState(scene);
    const bad = (row: PageState['services'][number]): PageState['services'][number] => ({
      ...row,
      reason: evil,
      addresses: row.addresses.map((address) => ({ ...address, reason: evil, exitReason: evil })),
    });
    const services = [
      { ...bad(stateOfHost(0, scene)), id: `${evil}.example` },
      ...state.services.slice(1).map((row) => (row.standing === 'ok' ? row : bad(row))),
    ];
    const warnings = state.warnings.map((row) => ({ ...row, text: evil, remedy: evil, code: evil, subject: evil }));
    const names = state.names.map((row) => ({ ...row, name: evil, address: evil, keys: [evil], zone: evil }));
    const units = state.units.map((row) => ({ ...row, unit: evil, rules: [evil], lacking: [evil] }));
    const resolvers = state.resolvers.map((row) => ({
      ...row,
      id: evil + row.id,
      reason: evil,
      failures: { [evil]: 1 },
    }));
    const modules = state.modules.map((row) => ({ ...row, summary: evil }));
    await withState({ ...state, services, warnings, names, units, resolvers, modules }, async (own) => {
      own.answers.events = own.answers.events.map((event) => ({ ...event, text: evil, subject: evil }));
      const strips = own.answers.strips;
      own.answers.strips = (days) => {
        const given = strips(days);
        return { ...given, reasons: given.reasons.map(() => evil), problem: evil };
      };
      const sight = await (await Sight.open(browser, own.url)).drawn();
      await sight.page.locator('.host .open', { hasText: evil }).first().click();
      await sight.page.locator('.strip').nth(1).hover();
      await sight.page.locator('#resolvers .plot').first().hover();
      for (const part of ['#hosts', '#warnings', '#modules', '#names', '#rules', '#resolvers', '#events'])
        assert.ok((await sight.text(part)).includes(evil), `${part} says it as it is`);
      assert.equal(await sight.evaluate("document.querySelectorAll('img, body script').length"), 0);
      await sight.close();
    });
  });

  test('what changes is there without a load of the page, and in its place', async () => {
    const sight = await (await Sight.open(browser, server.url)).drawn();
    const row = { ...stateOfHost(10, scene), id: hostName(7), since: now };
    const event = {
      at: now,
      module: 'nbrpc',
      code: 'service-rerouted',
      subject: row.id,
      text: `${row.id} goes around`,
    };
    await sight.page
      .locator('#hosts .host', { hasText: row.id })
      .and(sight.page.locator('[data-state="direct"]'))
      .waitFor();
    server.send('state', { at: now, full: false, services: { put: [row], gone: [] } });
    server.send('event', event);
    await sight.page
      .locator('#hosts .host', { hasText: row.id })
      .and(sight.page.locator('[data-state="tunnelled"]'))
      .waitFor();
    await sight.page.locator('#events', { hasText: 'goes around' }).waitFor();
    const rows = await sight.rows();
    assert.equal(
      rows.findIndex((text) => text.includes(row.id)),
      3,
      'among the other tunnelled ones',
    );
    assert.equal(sight.loads, 1);
    await sight.close();
  });

  test('how long ago goes on while nothing is heard', async () => {
    const state = pageState(scene);
    const names = state.names.map((row) => ({ ...row, heardAt: now - 280_000 }));
    await withState({ ...state, names }, async (own) => {
      const sight = await Sight.open(browser, own.url, {}, (page) => page.clock.install({ time: now }));
      await sight.drawn();
      await sight.page.locator('#names', { hasText: 'heard 4 min ago' }).waitFor();
      await sight.page.clock.runFor(35_000);
      await sight.page.locator('#names', { hasText: 'heard 5 min ago' }).waitFor();
      await sight.close();
    });
  });

  test('it says that the line is lost, and goes on by itself when the server is back', async () => {
    const own = new PageServer(pageFolder, answers(scene));
    await own.start();
    const sight = await (await Sight.open(browser, own.url)).drawn();
    await own.stop();
    await sight.page.waitForSelector('#link[data-link="lost"]');
    assert.match(await sight.text('#link'), /lost at \d\d:\d\d:\d\d, connecting again/);
    assert.equal((await sight.rows()).length, 60, 'what was known stays readable');
    const state = pageState(scene);
    own.answers.state = { ...state, modules: state.modules.map((row) => ({ ...row, summary: 'as new' })) };
    await own.start();
    await sight.page.waitForSelector('#link[data-link="live"]');
    await sight.page.locator('#modules', { hasText: 'as new' }).waitFor();
    assert.equal(sight.loads, 1);
    // Chromium itself writes down each refused connection.
    const own_ = sight.complaints.splice(0).filter((text) => !/net::ERR_|Failed to load resource/.test(text));
    assert.deepEqual(own_, []);
    await sight.close();
    await own.stop();
  });

  test('the keyboard alone reaches everything, and sees where it is', async () => {
    const sight = await (await Sight.open(browser, server.url)).drawn();
    const { keyboard } = sight.page;
    const where = (): Promise<string> =>
      sight.evaluate(
        "(() => { const e = document.activeElement; return e === null ? '' : e.id || e.getAttribute('aria-label') || e.textContent.trim(); })()",
      );
    const stops: string[] = [];
    for (let i = 0; i < 24; i += 1) {
      await keyboard.press('Tab');
      stops.push(await where());
      const seen = await sight.evaluate<string>(
        "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + ' ' + s.outlineWidth; })()",
      );
      if (stops.at(-1) !== '') assert.match(seen, /^solid 2px$|^auto \d/, `focus on ${stops.at(-1)} is seen`);
      if (stops.includes('plot-hours') && stops.at(-1) === 'Latency of 192.0.2.53') break;
    }
    assert.deepEqual(stops, [
      'Skip to services',
      'Services',
      'nav-exits',
      'Resolvers',
      'Rules',
      'Names',
      'Events',
      'filter',
      'sort',
      'period',
      'Legend, keys, token',
      'maps35.example',
      'History of maps35.example',
      'plot-hours',
      'Latency of 127.0.0.1',
      'Latency of 192.0.2.53',
    ]);
    await sight.page.locator('.strip').first().focus();
    const said = (): Promise<string | null> => sight.page.locator('.strip:focus').getAttribute('aria-valuetext');
    assert.match((await said()) ?? '', /^dropped, .*no exit works for it$/);
    assert.equal(await sight.text('#tip b'), 'dropped');
    await keyboard.press('ArrowLeft');
    assert.match((await said()) ?? '', /^tunnelled \(TLS\), /);
    await keyboard.press('Home');
    assert.equal(await sight.page.locator('.strip:focus').getAttribute('aria-valuenow'), '1');
    await keyboard.press('ArrowDown');
    await keyboard.press('ArrowDown');
    assert.equal(await where(), 'History of chat20.example');
    await keyboard.press('Shift+Tab');
    assert.equal(await where(), 'chat20.example');
    await keyboard.press('Enter');
    assert.match(await sight.text('.host:has(:focus) .more'), /192\.0\.2\.61/);
    await keyboard.press('End');
    assert.match(await where(), /\.example$/);
    assert.equal(
      await sight.evaluate("[...document.querySelectorAll('.host')].at(-1).contains(document.activeElement)"),
      true,
    );
    await sight.close();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`every text stands out from its ground, ${colorScheme}`, async () => {
      const sight = await (await Sight.open(browser, server.url, { colorScheme })).drawn();
      await sight.page.locator('.legend summary').click();
      for (const index of [0, 1, 2, 4]) await sight.page.locator('.host .open').nth(index).click();
      await sight.page.locator('.strip').nth(1).focus();
      const { faint, seen } = await sight.evaluate<{ faint: string[]; seen: number }>(faintTexts);
      assert.ok(seen > 150, `${seen} texts were looked at`);
      assert.deepEqual(faint, []);
      await sight.close();
    });
  }

  test('a phone needs no sideways scrolling, and a finger reads a strip', async () => {
    for (const width of [360, 320]) {
      const options = { viewport: { width, height: 700 }, hasTouch: true, isMobile: true, deviceScaleFactor: 3 };
      const sight = await (await Sight.open(browser, server.url, options)).drawn();
      await sight.page.locator('.legend summary').click();
      for (const index of [0, 2]) await sight.page.locator('.host .open').nth(index).click();
      assert.equal(await sight.evaluate('document.documentElement.scrollWidth'), width);
      const wide = await sight.evaluate<string[]>(
        `[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > ${width} + 0.5 && getComputedStyle(e).overflow === 'visible' && !e.closest('#scale, #services-title, .uplot')).map((e) => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))`,
      );
      assert.deepEqual(wide, []);
      await sight.page.locator('.strip').nth(3).tap();
      assert.match(await sight.text('#tip'), /\d\d:\d\d/);
      await sight.close();
    }
  });

  test('a change catches the eye for a moment, and nothing moves', async () => {
    const sight = await (await Sight.open(browser, server.url)).drawn();
    await sight.page.locator('.host .open').first().waitFor();
    const row = { ...stateOfHost(30, scene), standing: 'rerouted', state: 'failing' };
    server.send('state', { at: now, full: false, services: { put: [row], gone: [] } });
    await sight.page.waitForSelector('.host.flash');
    assert.equal(await sight.evaluate('document.getAnimations().length'), 0);
    await sight.page.waitForSelector('.host.flash', { state: 'detached' });
    await sight.close();
  });

  test('where nothing is on or listed, it says what to do', async () => {
    const nothing = { modules: [], warnings: [], services: [], units: [], names: [], resolvers: [] };
    const off = { ...pageState(scene), ...nothing, nbrpc: null, cgroupNft: null, dyndns: null, dnstest: null };
    const none = { since: now - 86_400_000, days: 1, states: [], reasons: [''], strips: [], more: 0, problem: '' };
    await withState(off, async (own) => {
      own.answers.strips = () => none;
      own.answers.events = [];
      const sight = await Sight.open(browser, own.url);
      await sight.page.locator('#events-body .empty').waitFor();
      assert.match(await sight.text('#services'), /nbrpc is not on: a table \[nbrpc\]/);
      assert.match(await sight.text('#rules'), /cgroup-nft is not on: a table \[cgroup-nft\]/);
      assert.match(await sight.text('#names'), /dyndns is not on: a table \[dyndns\]/);
      assert.match(await sight.text('#resolvers'), /dnstest is not on: a table \[dnstest\]/);
      assert.match(await sight.text('#events'), /Nothing has happened yet/);
      await sight.close();
    });
    const head = pageState(scene).nbrpc;
    const standing = { dropped: 0, rerouted: 0, failing: 0, unchecked: 0, unresolved: 0, waiting: 0, ok: 0 };
    const empty = { ...off, nbrpc: head === null ? null : { ...head, total: 0, byStanding: standing } };
    await withState(empty, async (own) => {
      own.answers.strips = () => none;
      const sight = await Sight.open(browser, own.url);
      await sight.page.locator('#services-note', { hasText: 'No service is listed yet: name one' }).waitFor();
      await sight.close();
    });
  });

  test('"check now" is there for who has the token, and says what came of it', async () => {
    const sight = await (await Sight.open(browser, server.url)).drawn();
    const { page } = sight;
    await page.locator('.host .open').nth(2).click();
    const button = page.getByRole('button', { name: 'Check now' });
    assert.equal(await button.isVisible(), false);
    await page.locator('.legend summary').click();
    await page.locator('#token').fill('wrong');
    await page.locator('#token').press('Enter');
    await button.click();
    await page.locator('.host', { hasText: 'The token is wrong. Enter that of page.token_file.' }).waitFor();
    assert.deepEqual(server.checks, []);
    await page.locator('#token').fill(server.token);
    await page.locator('#token').press('Enter');
    await button.click();
    await page.locator('.host', { hasText: 'chat20.example is being checked' }).waitFor();
    assert.deepEqual(server.checks, ['chat20.example']);
    assert.match(sight.complaints.splice(0).join(), /403/, 'Chromium writes the refusal down');
    await sight.close();
  });

  test('a service that recovers is direct, also where it is one of too many to be shown one by one', async () => {
    const many = { now, hosts: 300, detailed: 200 };
    const own = new PageServer(pageFolder, answers(many));
    await own.start();
    const sight = await (await Sight.open(browser, own.url)).drawn();
    const row = sight.page.locator('#hosts .host', { hasText: hostName(10) }).first();
    await row.and(sight.page.locator('[data-state="tunnelled"]')).waitFor();
    own.send('state', { at: now, full: false, services: { put: [], gone: [hostName(10)] } });
    await row.and(sight.page.locator('[data-state="direct"]')).waitFor();
    assert.match((await row.textContent()) ?? '', /direct/);
    await sight.close();
    await own.stop();
  });

  test('1000 services: all are there, a filter finds one, and few canvases are held', async () => {
    const many = { now, hosts: 1000, detailed: 200 };
    const own = new PageServer(pageFolder, answers(many));
    await own.start();
    const sight = await (await Sight.open(browser, own.url)).drawn();
    await sight.until("document.querySelectorAll('.host').length === 1000");
    assert.ok((await sight.evaluate<number>("document.querySelectorAll('.host canvas').length")) < 200);
    await sight.page.locator('#filter').fill('video737 direct');
    await sight.until("document.querySelectorAll('.host').length === 1");
    assert.equal(await sight.text('#services-note'), '1 service of 1,000 match.');
    await sight.page.locator('#filter').fill('');
    await sight.page.locator('#sort').selectOption('name');
    await sight.until("document.querySelector('.host .open').textContent === 'api103.example'");
    await sight.close();
    await own.stop();
  });
});
