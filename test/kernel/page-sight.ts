/** A browser on the status page: what it asks for, complains of and shows. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { mainJs } from '../checkout.ts';

/** Debian's package `chromium`, which `npm test` installs; another one by its path in CHROMIUM. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The page as the build that this test belongs to has made it. */
export const pageFolder = join(dirname(mainJs), '..', 'web');

/** Why nothing can be tested here, for node's `skip`; false: all is there. */
export const noBrowser: string | false = existsSync(executablePath)
  ? false
  : `NOT TESTED: no ${executablePath}: apt-get install chromium, or name another in CHROMIUM`;

export function startBrowser(): Promise<Browser> {
  assert.ok(existsSync(join(pageFolder, 'main.js')), `${pageFolder} is not built: npm run build`);
  // Chromium's sandbox does not start for root; what it opens here is this checkout's own page alone.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...sandbox, '--disable-dev-shm-usage'] });
}

/** One page, and everything that must not happen on it. */
export class Sight {
  readonly page: Page;
  /** Errors, warnings, refused loads, requests to anywhere but the server. */
  readonly complaints: string[] = [];
  /** Documents that were loaded. */
  loads = 0;
  readonly #origin: string;

  private constructor(page: Page, url: string) {
    this.page = page;
    this.#origin = new URL(url).origin;
  }

  /** `prepare`: what is done to the browser before the page is loaded. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
    prepare: (page: Page) => Promise<void> = () => Promise.resolve(),
  ): Promise<Sight> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const sight = new Sight(page, url);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) sight.complaints.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => sight.complaints.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => sight.complaints.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && origin !== sight.#origin) sight.complaints.push(`asks ${request.url()}`);
      if (request.isNavigationRequest()) sight.loads += 1;
    });
    await page.addInitScript(
      "document.addEventListener('securitypolicyviolation', (e) => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))",
    );
    await prepare(page);
    await page.goto(url);
    return sight;
  }

  /** Everything has been heard and drawn once. */
  async drawn(): Promise<this> {
    await this.page.waitForSelector('#link[data-link="live"]');
    await this.page.waitForSelector('.host[data-state] canvas');
    return this;
  }

  /** Nothing happened that must not; then it is closed. */
  async close(): Promise<void> {
    await this.page.context().close();
    assert.deepEqual(this.complaints, []);
  }

  evaluate<Result>(script: string): Promise<Result> {
    return this.page.evaluate<Result>(script);
  }

  /** The page's policy forbids playwright's own way to wait for a script's word: eval. */
  async until(script: string): Promise<void> {
    for (let tries = 0; !(await this.evaluate<boolean>(script)); tries += 1) {
      assert.ok(tries < 600, `never so: ${script}`);
      await this.page.waitForTimeout(50);
    }
  }

  text(selector: string): Promise<string> {
    // biome-ignore lint/performance/useDomNodeTextContent: what people see is meant, without what is hidden
    return this.page.locator(selector).innerText();
  }

  /** Name, state and reason of the rows, from the top. */
  rows(): Promise<readonly string[]> {
    return this.evaluate(
      "[...document.querySelectorAll('.host')].map((row) => [row.dataset.state, row.querySelector('.open').textContent, row.querySelector('.why').textContent].join(' | '))",
    );
  }
}

/**
 * Texts whose colour stands out too little from what is behind them (WCAG 2.2, 1.4.3: 4.5 to 1), as `ratio text`; and how many
 * texts were looked at.
 */
export const faintTexts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (text === '' || !element.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })) continue;
    if (['SCRIPT', 'NOSCRIPT', 'OPTION'].includes(element.tagName)) continue;
    seen += 1;
    const under = behind(element);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(ratio.toFixed(2) + ' ' + text);
  }
  return { faint, seen };
})()`;
