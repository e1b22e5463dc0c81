// Takes docs/page.png, the README's picture of the page: loads a model, asks, and lets the answer end.
//   node tools/screenshot.mjs [--model URL] [--out FILE] [--theme light|dark] [--size 1280x860] [--ask TEXT] [--start]
// Needs Chromium (CHROMIUM=/path, default /usr/bin/chromium).

import { chromium } from 'playwright-core';

import { createStaticServer, listen } from './serve.mjs';

/** @param {string} name @param {string} otherwise */
const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);

const [width, height] = option('--size', '1280x860').split('x').map(Number);
const model = option('--model', '');
const shared = process.env.QN_SHARED ?? '../shared';
const server = createStaticServer({ extra: { fixtures: `${shared}/fixtures` } });
const port = await listen(server, 0);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless=new', '--no-sandbox', ...(process.argv.includes('--gpu') ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : [])],
});
try {
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: 1.5,
    colorScheme: /** @type {'light' | 'dark'} */ (option('--theme', 'light')),
    hasTouch: width < 500,
    isMobile: width < 500,
  });
  page.on('console', (m) => console.error(m.type(), m.text()));
  page.on('pageerror', (e) => console.error(e));
  await page.goto(`http://localhost:${port}/demo/${model ? `?model=${encodeURIComponent(model)}` : ''}`);
  await page.waitForFunction(() => !document.querySelector('#device')?.textContent?.startsWith('Looking'), null, { timeout: 60_000 });
  await page.waitForTimeout(500);
  if (!process.argv.includes('--start')) {
    await page.click('#models button.primary');
    await page.waitForSelector('html[data-view="chat"]', { timeout: 120_000 });
    const ask = option('--ask', 'Tell me a story about a mill.');
    if (ask) {
      await page.fill('#input', ask);
      await page.press('#input', 'Enter');
      await page.waitForSelector('.answer:not(.streaming)', { timeout: 120_000 });
    }
    await page.waitForTimeout(1500);
  }
  await page.screenshot({ path: option('--out', 'docs/page.png') });
} finally {
  await browser.close();
  server.close();
}
