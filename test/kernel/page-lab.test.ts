/** The way of `npm start`: the lab's netsteward, its own status page, and a browser outside of the lab's namespaces. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { checkout, mainJs } from '../checkout.ts';
import { scratchFolder } from './lab-fixture.ts';
import { noBrowser, Sight, startBrowser } from './page-sight.ts';

const state = join(scratchFolder(), 'lab');

/** Resolves with what the pattern has found in what it prints; rejects with all of that when it ends before. */
function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString();
      const found = pattern.exec(text);
      if (found !== null) resolve(found);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('close', (code) => reject(new Error(`ended with ${code}:\n${text}`)));
  });
}

describe('the status page of netsteward in the lab', { skip: noBrowser }, () => {
  let rehearsal: ChildProcess | undefined;
  let browser: Browser | undefined;

  after(async () => {
    await browser?.close();
    if (rehearsal !== undefined && rehearsal.exitCode === null) {
      rehearsal.kill('SIGINT');
      await once(rehearsal, 'close');
    }
  });

  test('a block shows without a reload, "check now" works with the token, and the end is told', async () => {
    const config = join(checkout, 'netsteward.example.toml');
    const args = [mainJs, 'lab', 'rehearse', '--no-tour', '--config', config, '--state', state];
    rehearsal = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [, url = '', tokenFile = ''] = await printed(rehearsal, /The status page: (http:\S+) .*token in (\S+)\)/);
    browser = await startBrowser();
    const sight = await (await Sight.open(browser, url)).drawn();
    const { page } = sight;
    const row = page.locator('.host', { hasText: 'video.example' });
    await row.and(page.locator('[data-state="direct"]')).waitFor();
    await page.locator('#modules', { hasText: '0 of 3 services rerouted' }).waitFor();

    const censor = spawnSync(process.execPath, [mainJs, 'lab', 'censor', '--state', state, 'video.example', 'rst']);
    assert.equal(censor.status, 0, String(censor.stderr));
    await row.and(page.locator('[data-state="tunnelled"]')).waitFor();
    await page.locator('#events', { hasText: 'video.example goes through the tunnel' }).waitFor();
    await page.locator('#overall', { hasText: '3 services: 1 through the tunnel, 2 direct' }).waitFor();
    await row.locator('.strip').focus();
    assert.match(await sight.text('#tip'), /^tunnelled/);

    await page.locator('.legend summary').click();
    await page.locator('#token').fill(readFileSync(tokenFile, 'utf8').trim());
    await page.locator('#token').press('Enter');
    await row.locator('.open').click();
    assert.deepEqual(sight.complaints, []);
    const answer = page.waitForResponse(/\/api\/check$/);
    await page.getByRole('button', { name: 'Check now' }).click();
    const { text, error } = (await (await answer).json()) as { text?: string; error?: string };
    assert.equal((await answer).status(), 202, error);
    // In the lab each service has its turn every second.
    assert.match(text ?? '', /^video\.example (?:is being checked: its 4 addresses|was checked just now)/);
    await row.locator('[role=status]', { hasText: text ?? '' }).waitFor();
    assert.equal(sight.loads, 1);

    rehearsal.kill('SIGINT');
    await page.waitForSelector('#link[data-link="lost"]');
    const [code] = await once(rehearsal, 'close');
    assert.equal(code, 0);
    const ours = sight.complaints.splice(0).filter((each) => !/net::ERR_|Failed to load resource/.test(each));
    assert.deepEqual(ours, [], 'Chromium itself writes down each request that was refused');
    await sight.close();
  });
});
