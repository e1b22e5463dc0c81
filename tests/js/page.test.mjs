// The page in real Chromium, under its own content security policy, over tools/serve.mjs. Fails on
// every console error that is not a probe for a model's optional file. Needs Chromium
// (CHROMIUM=/path, default /usr/bin/chromium); models are the embedded one and small fixtures.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { createStaticServer, listen } from '../../tools/serve.mjs';
import { payloads } from '../data/markup_payloads.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const fixtures = join(resolve(process.env.QN_SHARED ?? '../shared'), 'fixtures');
const skip = !existsSync(executablePath) ? 'skipped: no Chromium' : !existsSync(fixtures) ? 'skipped: no ../shared' : false;
const grist = existsSync('models/grist/mlc-chat-config.json');
if (skip) console.log(skip);
if (!skip && !grist) console.log('skipped: no models/grist');

const QUIET = ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
const FIXTURE = '/fixtures/mlc/qwen2_q4f16_1/';
const UNREACHABLE = /provided scope|when fetching the script|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|Failed to fetch/;
const PATIENCE = 90_000; // a slow machine is no failure

/** @type {string[]} paths that the servers were asked for */
let asked = [];
/** @type {Record<string, string>} */
const extra = { fixtures };
const serve = (/** @type {boolean} */ isolation) => createStaticServer({ isolation, extra, onRequest: (path) => asked.push(path) });

/** @type {import('node:http').Server} */ let server;
/** @type {import('node:http').Server} */ let plain;
/** @type {import('playwright-core').Browser} */ let browser;
let base = '';
let plainBase = '';
let broken = '';

before(async () => {
  if (skip) return;
  broken = mkdtempSync(join(tmpdir(), 'quern-page-'));
  extra.broken = broken;
  server = serve(true);
  plain = serve(false);
  base = `http://localhost:${await listen(server, 0)}`;
  plainBase = `http://localhost:${await listen(plain, 0)}`;
  browser = await chromium.launch({ executablePath, args: QUIET });
});

after(async () => {
  await browser?.close();
  for (const s of [server, plain]) {
    s?.closeAllConnections();
    s?.close();
  }
  if (broken) rmSync(broken, { recursive: true });
});

/**
 * A fresh profile with the page in it.
 * @param {string} [query] @param {import('playwright-core').BrowserContextOptions} [options] @param {string} [at]
 * @param {import('playwright-core').Browser} [from]
 */
async function visit(query = '', options = {}, at = base, from = browser) {
  const context = await from.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    // Looking for a file that a model may lack: the browser reports the 404 by itself.
    if (/Failed to load resource/.test(message.text()) && /\/(fixtures|broken|models)\//.test(message.location().url)) return;
    problems.push(`${message.text()} ${message.location().url}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`));
  });
  await page.goto(`${at}/demo/${query}`);
  await page.waitForSelector('html[data-ready]');
  return {
    context, page, problems,
    end: async () => {
      await context.close();
      assert.deepEqual(problems, []);
    },
  };
}

/** @param {import('playwright-core').Page} page */
async function load(page) {
  await page.click('#models .primary');
  await page.waitForSelector('html[data-view="chat"], .error');
  assert.deepEqual(await page.locator('.error').allInnerTexts(), []);
}

/** @param {import('playwright-core').Page} page */
const answered = (page) => page.waitForSelector('html:not([data-busy]) .answer:not(.streaming)');

/** @param {import('playwright-core').Page} page @param {string} text */
async function ask(page, text) {
  const before = await page.locator('.answer').count();
  await page.fill('#input', text);
  await page.press('#input', 'Enter');
  await page.waitForFunction((n) => document.querySelectorAll('.answer').length > n, before);
  await answered(page);
  return page.locator('.answer .text').last().innerText();
}

/** @param {import('playwright-core').Page} page @param {Record<string, string>} values */
async function set(page, values) {
  await page.click('#open-settings');
  for (const [name, value] of Object.entries(values)) {
    const field = page.locator(`#settings-form [name="${name}"]`);
    if (name === 'backend') await field.selectOption(value);
    else await field.fill(value);
  }
  await page.click('#settings-form button[type=submit]');
}

const weights = () => asked.filter((path) => /\/(models|fixtures|broken)\//.test(path));
const whole = { timeout: 4 * PATIENCE, skip: skip || (grist ? false : 'no models/grist') };
const small = { timeout: 3 * PATIENCE, skip };

test('load, ask, stream, stop, answer again, edit, new chat, reload, offline', whole, async (t) => {
  const { context, page, problems, end } = await visit();

  await t.test('the picker shows sizes and what fits', async () => {
    await page.waitForSelector('.fit');
    const rows = await page.locator('#models li').allInnerTexts();
    assert.match(rows[0], /Grist[\s\S]*MB[\s\S]*(Fits|Tight|Too big).*of memory/);
    assert.match(rows[1], /Qwen2\.5 0\.5B Instruct[\s\S]*278.MB/);
    assert.match(await page.innerText('#device'), /no WebGPU to use.*CPU/);
  });

  await t.test('loading shows bytes and phases, then says where it runs', async () => {
    await page.evaluate(() => {
      const seen = /** @type {any} */ (window).seen = { phases: new Set(), values: [] };
      new MutationObserver(() => {
        seen.phases.add(document.querySelector('#progress-text')?.textContent?.split(/ · |…/)[0]);
        const bar = /** @type {HTMLProgressElement} */ (document.querySelector('#progress'));
        if (bar.position >= 0) seen.values.push(bar.value);
      }).observe(/** @type {Node} */ (document.querySelector('#loading')), { subtree: true, childList: true, characterData: true, attributes: true });
    });
    asked = [];
    await load(page);
    const seen = await page.evaluate(() => ({ phases: [.../** @type {any} */ (window).seen.phases], values: /** @type {any} */ (window).seen.values }));
    assert.ok(seen.phases.includes('Downloading'), `phases: ${seen.phases}`);
    assert.ok(seen.values.length > 1 && seen.values.at(-1) > 1e7, `values of the bar: ${seen.values}`);
    assert.ok(weights().length > 3);
    assert.match(await page.innerText('#intro'), /small demonstration model/);
    assert.match(await page.innerText('#bigger'), /Qwen2\.5 0\.5B Instruct from the hub/);
    assert.match(await page.innerText('#backend-note'), /no WebGPU to use.*CPU/);
    assert.match(await page.innerText('[data-stat=device]'), /CPU/);
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'input');
  });

  let requests = 0;
  page.on('request', () => requests++);
  let first = '';
  await t.test('an answer streams, with numbers, without any request', async () => {
    await set(page, { seed: '7', max_tokens: '60' });
    await page.evaluate(() => {
      /** @type {any} */ (window).texts = new Set();
      new MutationObserver(() => /** @type {any} */ (window).texts.add(document.querySelector('.answer .text')?.textContent))
        .observe(/** @type {Node} */ (document.querySelector('#messages')), { subtree: true, childList: true, characterData: true });
    });
    await page.waitForSelector('#offline[data-state=ready]');
    asked = [];
    requests = 0;
    first = await ask(page, 'Tell me a story.');
    assert.ok(first.length > 40, first);
    const texts = await page.evaluate(() => [.../** @type {any} */ (window).texts]);
    assert.ok(texts.length > 5, `the text changed ${texts.length} times`);
    assert.match(await page.innerText('[data-stat=speed]'), /tok\/s/);
    assert.match(await page.innerText('[data-stat=first]'), /\d+ ?m?s/);
    assert.match(await page.innerText('[data-stat=context]'), /^\d+ \/ 2,048$/);
    assert.match(await page.innerText('[data-stat=memory]'), /MB/);
    // A while after a visit the browser itself looks whether the service worker has changed.
    assert.deepEqual(asked.filter((path) => path !== '/demo/sw.js'), []);
    assert.equal(requests, 0);
    await page.click('#offline');
    assert.match(await page.innerText('#offline-report'), /\b0 requests since the model was loaded/);
    assert.equal(requests, 0, 'the self-test itself asks for nothing');
    await page.keyboard.press('Escape');
  });

  await t.test('answer again gives another answer in the same place', async () => {
    await page.click('.answer .actions [aria-label="Answer again"]');
    await page.waitForSelector('.answer.streaming, .answer:not(.streaming)');
    await answered(page);
    const second = await page.locator('.answer .text').last().innerText();
    assert.equal(await page.locator('.answer').count(), 1);
    assert.notEqual(second, first);
  });

  await t.test('the same seed gives the same answer', async () => {
    await page.click('#new-chat');
    assert.equal(await page.locator('.message').count(), 0);
    assert.equal(await ask(page, 'Tell me a story.'), first);
  });

  await t.test('stop keeps what came, and the next question works', async () => {
    await set(page, { max_tokens: '' });
    await page.fill('#input', 'Tell me a long story about a bear who lives near the river.');
    await page.press('#input', 'Enter');
    await page.waitForFunction(() => (document.querySelectorAll('.answer .text')[1]?.textContent?.length ?? 0) > 3);
    assert.ok(await page.isVisible('#stop'));
    await page.keyboard.press('Escape');
    await answered(page);
    assert.equal(await page.locator('.answer .note').last().innerText(), 'Stopped.');
    assert.ok((await page.locator('.answer .text').last().innerText()).length > 3);
    await set(page, { max_tokens: '12' });
    assert.ok((await ask(page, 'What is the capital of Italy?')).length > 0);
    assert.equal(await page.locator('.answer').count(), 3);
  });

  await t.test('editing a question drops what came after it', async () => {
    await page.locator('.user [aria-label=Edit]').first().click();
    await page.fill('.edit textarea', 'Why is the sky blue?');
    await page.press('.edit textarea', 'Enter');
    await page.waitForFunction(() => document.querySelector('.user .text')?.textContent === 'Why is the sky blue?');
    await answered(page);
    assert.equal(await page.locator('.user').count(), 1);
    assert.equal(await page.locator('.answer').count(), 1);
  });

  await t.test('a second load takes nothing from the network', async () => {
    await page.reload();
    await page.waitForSelector('.kept');
    asked = [];
    await load(page);
    assert.deepEqual(weights(), []);
    assert.equal(await ask(page, 'Why is the sky blue?').then((a) => a.length > 0), true);
  });

  await t.test('without a network the page opens, loads and answers', async () => {
    await page.waitForSelector('#offline[data-state=ready]');
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    await context.setOffline(true);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    try {
      await page.reload();
      await page.waitForSelector('html[data-ready]');
      await load(page);
      assert.ok((await ask(page, 'Why is the sky blue?')).length > 0);
      assert.equal(await page.innerText('#offline-text'), 'Offline, works');
    } finally {
      await context.setOffline(false);
      server = serve(true);
      assert.equal(await listen(server, port), port);
    }
    // The browser reports what it could not fetch; it fell back to what is kept.
    problems.splice(0, problems.length, ...problems.filter((p) => !UNREACHABLE.test(p)));
  });
  await end();
});

test('on a host that sets no headers it runs on one thread, and opens without a network', small, async () => {
  const bare = createServer((request, response) => {
    const writeHead = response.writeHead.bind(response);
    response.writeHead = /** @type {any} */ ((/** @type {number} */ status, /** @type {Record<string, string>} */ headers) =>
      writeHead(status, Object.fromEntries(Object.entries(headers).filter(([name]) => /^content-(type|length|range)$/.test(name)))));
    plain.emit('request', request, response);
  });
  const { page, problems, end } = await visit(`?model=${FIXTURE}`, {}, `http://localhost:${await listen(bare, 0)}`);
  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
  await load(page);
  assert.match(await page.innerText('[data-stat=device]'), /one thread/);
  assert.ok((await ask(page, 'Hello')).length > 0);
  await page.waitForSelector('#offline[data-state=ready]');
  bare.closeAllConnections();
  await new Promise((done) => bare.close(done));
  await page.reload();
  await page.waitForSelector('html[data-ready]');
  await load(page);
  assert.ok((await ask(page, 'Hello')).length > 0);
  problems.splice(0, problems.length, ...problems.filter((p) => !UNREACHABLE.test(p)));
  await end();
});

test('by keyboard alone', small, async () => {
  const { page, end } = await visit(`?model=${FIXTURE}`);
  const focus = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
  const tabTo = async (/** @type {RegExp} */ what) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      if (what.test(await focus())) return;
    }
    assert.fail(`Tab does not reach ${what}`);
  };
  await page.waitForSelector('.fit');
  await page.keyboard.press('Tab');
  assert.match(await focus(), /Skip/);
  await tabTo(/^Load qwen2_q4f16_1/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('html[data-view="chat"]');
  await page.keyboard.type('One');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.answer');
  await answered(page);
  assert.equal(await page.innerText('.user .text'), 'One\ntwo');
  await page.waitForFunction(() => /Answer|There was no answer/.test(document.querySelector('#announce')?.textContent ?? ''));
  assert.equal(await page.getAttribute('#messages', 'aria-live'), 'off', 'tokens are not read out one by one');
  await page.keyboard.press('Shift+Tab');
  await tabTo(/^Answer again/).catch(async () => tabTo(/^Answer again/));
  await page.keyboard.press('Enter');
  await answered(page);
  await tabTo(/^Settings/);
  await page.keyboard.press('Enter');
  assert.ok(await page.isVisible('#settings'));
  await page.keyboard.press('Escape');
  assert.ok(!(await page.isVisible('#settings')));
  await tabTo(/^Theme/);
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'light');
  await end();
});

test('on a phone nothing overflows and targets are large', small, async () => {
  const { page, end } = await visit(`?model=${FIXTURE}`, { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  const check = async () => {
    const found = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth > innerWidth,
      small: [...document.querySelectorAll('button, input, summary, textarea, select')]
        .filter((e) => e instanceof HTMLElement && e.checkVisibility())
        .map((e) => ({ name: e.id || e.textContent, h: e.getBoundingClientRect().height }))
        .filter((e) => e.h < 43.5),
    }));
    assert.equal(found.wide, false);
    assert.deepEqual(found.small, []);
  };
  await page.waitForSelector('.fit');
  await page.click('summary');
  await check();
  await load(page);
  await ask(page, 'Hello');
  await check();
  await page.click('#open-settings');
  await check();
  await end();
});

test('text is readable in both themes', small, async () => {
  const { page, end } = await visit(`?model=${FIXTURE}`);
  const faint = () => page.evaluate(() => {
    const parts = (/** @type {string} */ c) => (c.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (/** @type {number[]} */ rgb) => rgb.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (/** @type {Element | null} */ e) => {
      for (; e; e = e.parentElement) {
        const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor);
        if (a === 1) return [r, g, b];
      }
      return [255, 255, 255];
    };
    const bad = [];
    for (const e of document.querySelectorAll('body *')) {
      if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent?.trim())) continue;
      const [x, y] = [luminance(parts(getComputedStyle(e).color)), luminance(ground(e))].sort((a, b) => b - a);
      const ratio = (x + 0.05) / (y + 0.05);
      if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${e.tagName} ${e.textContent?.slice(0, 30)}`);
    }
    return bad;
  });
  await page.waitForSelector('.fit');
  await page.click('summary');
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme: scheme });
    assert.deepEqual(await faint(), []);
  }
  await load(page);
  await ask(page, 'Hello');
  await page.click('#offline');
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme: scheme });
    assert.deepEqual(await faint(), []);
  }
  await end();
});

test('errors say what helps, and the page goes on', small, async (t) => {
  cpSync(join(fixtures, 'mlc/qwen2_q4f16_1'), join(broken, 'model'), { recursive: true });
  truncateSync(join(broken, 'model/params_shard_0.bin'), 1000);
  const { page, end } = await visit('?model=/fixtures/nothing-here/');
  await t.test('a model that is not there', async () => {
    await page.click('#models .primary');
    await page.waitForSelector('.error');
    const text = await page.innerText('.error');
    assert.match(text, /What helps/);
    assert.match(text, /QN_E_NOT_FOUND/);
    await page.click('.error button:has-text("Try again")');
    await page.waitForSelector('.error');
    await page.click('.error button:has-text("Dismiss")');
    assert.equal(await page.locator('.error').count(), 0);
  });
  await t.test('a file that ends too early', async () => {
    await page.click('summary');
    await page.fill('#name', '/broken/model/');
    await page.press('#name', 'Enter');
    await page.waitForSelector('.error');
    assert.match(await page.innerText('.error'), /What helps[\s\S]*QN_E_(TRUNCATED|TENSOR|FORMAT|NETWORK|IO)/);
  });
  await t.test('cancelling a load', async () => {
    await page.route('**/fixtures/mlc/**', () => {}); // never answered
    await page.fill('#name', FIXTURE);
    await page.press('#name', 'Enter');
    await page.waitForSelector('#loading:not([hidden])');
    await page.click('#cancel');
    await page.waitForSelector('html[data-view="start"]');
    assert.equal(await page.locator('.error').count(), 0);
    await page.unroute('**/fixtures/mlc/**');
  });
  await t.test('a file from this device, afterwards', async () => {
    await page.setInputFiles('#file', join(fixtures, 'gguf/qwen2_Q4_0/model.gguf'));
    await page.waitForSelector('html[data-view="chat"]');
    assert.ok((await ask(page, 'Hello')).length > 0);
  });
  await t.test('a question longer than the context', async () => {
    await page.fill('#input', 'word '.repeat(3000));
    await page.press('#input', 'Enter');
    await page.waitForSelector('.error');
    assert.match(await page.innerText('.error'), /QN_E_CONTEXT/);
    await page.click('.error button:has-text("New chat")');
    assert.ok((await ask(page, 'Hello')).length > 0);
  });
  await end();
});

test('an answer can do nothing but be text', small, async () => {
  const { page, end } = await visit();
  assert.ok(payloads.length >= 100);
  const found = await page.evaluate(async (list) => {
    const { MarkdownView } = await import(/** @type {any} */ ('/demo/markdown.js'));
    const allowed = new Set('P H1 H2 H3 H4 H5 H6 UL OL LI PRE CODE EM STRONG DEL A BR HR BLOCKQUOTE TABLE THEAD TBODY TR TH TD DIV'.split(' '));
    const attributes = new Set(['href', 'rel', 'target', 'class', 'start', 'data-language', 'tabindex']);
    const bad = [];
    for (const text of list) {
      const root = document.createElement('div');
      document.body.append(root);
      const view = new MarkdownView(root);
      for (let i = 1; i <= text.length; i += Math.max(7, text.length / 20)) view.update(text.slice(0, i));
      view.update(text);
      const once = document.createElement('div');
      new MarkdownView(once).update(text);
      if (!root.isEqualNode(once)) bad.push(`streamed differs: ${text}`);
      for (const node of root.querySelectorAll('*')) {
        if (!allowed.has(node.tagName)) bad.push(`${node.tagName}: ${text}`);
        for (const { name, value } of node.attributes) {
          if (!attributes.has(name)) bad.push(`${name}: ${text}`);
          if (name === 'href' && !/^https?:\/\//.test(value)) bad.push(`${value}: ${text}`);
        }
        if (node instanceof HTMLElement) node.click?.();
        if (node.tagName === 'A' && !/noopener/.test(/** @type {HTMLAnchorElement} */ (node).rel)) bad.push(`rel: ${text}`);
      }
      root.remove();
    }
    return { bad, ran: /** @type {any} */ (window).pwned ?? 0 };
  }, payloads.map((p) => p.replace(/https?:/g, 'HTTPS:')).concat(payloads.filter((p) => !/https?:/.test(p))));
  assert.deepEqual(found, { bad: [], ran: 0 });
  await end();
});

test('Markdown becomes the elements that it means', small, async () => {
  const { page, end } = await visit();
  const cases = JSON.parse(readFileSync(new URL('../data/markdown_cases.json', import.meta.url), 'utf8'));
  const results = await page.evaluate(async (list) => {
    const { MarkdownView } = await import(/** @type {any} */ ('/demo/markdown.js'));
    return list.map(([text]) => {
      const root = document.createElement('div');
      new MarkdownView(root).update(text);
      return root.innerHTML.replace(/ (rel|target|tabindex)="[^"]*"/g, '');
    });
  }, cases);
  cases.forEach(([text, html], i) => assert.equal(results[i], html, text));
  await end();
});

test('the API in a page: stores, typed errors, aborts', small, async (t) => {
  const { page, end } = await visit('', {}, plainBase);
  await page.evaluate(() => {
    const policy = /** @type {any} */ (window).trustedTypes.createPolicy('test', { createScriptURL: (/** @type {string} */ s) => s });
    Object.assign(window, {
      start: async (/** @type {object} */ options) => {
        const { createEngine } = await import(/** @type {any} */ ('/web/index.js'));
        return createEngine({ worker: new Worker(policy.createScriptURL('/web/worker.js'), { type: 'module' }), ...options });
      },
    });
  });
  for (const [store, folder, again] of /** @type {const} */ ([['opfs', 'qwen2_q4f16_1', 0], ['cache', 'llama_q4f16_1', 0], ['memory', 'qwen2_q0f16', 1]])) {
    await t.test(`weights in ${store}`, async () => {
      const go = () => page.evaluate(async ({ store, model }) => {
        const phases = new Set();
        const engine = await /** @type {any} */ (window).start({ model, store, onProgress: (/** @type {any} */ p) => phases.add(p.phase) });
        const answer = await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4, seed: 1 });
        engine.dispose();
        return { phases: [...phases], answer };
      }, { store, model: `/fixtures/mlc/${folder}/` });
      const first = await go();
      assert.ok(first.phases.includes('download') || first.phases.includes('upload'), String(first.phases));
      asked = [];
      const second = await go();
      assert.equal(weights().length > 0, again === 1, `asked for ${weights()}`);
      if (!again) assert.ok(second.phases.includes('verify') || second.phases.includes('upload'));
      assert.equal(second.answer.choices[0].message.content, first.answer.choices[0].message.content);
      assert.equal(second.answer.usage.completion_tokens, 4);
      assert.ok(second.answer.usage.timings.total_ms > 0);
    });
  }
  await t.test('weights in OPFS where files have no createWritable', async () => {
    writeFileSync(join(broken, 'worker.js'), "import '/web/worker.js'; delete FileSystemFileHandle.prototype.createWritable;");
    const go = () => page.evaluate(async () => {
      const policy = /** @type {any} */ (window).trustedTypes.createPolicy('test2', { createScriptURL: (/** @type {string} */ s) => s });
      const worker = new Worker(policy.createScriptURL('/broken/worker.js'), { type: 'module' });
      (await /** @type {any} */ (window).start({ model: '/fixtures/mlc/qwen2_untied_q4f16_1/', store: 'opfs', worker })).dispose();
    });
    await go();
    assert.ok(weights().length > 1);
    asked = [];
    await go();
    assert.deepEqual(weights().filter((p) => !p.endsWith('/worker.js')), []);
  });
  await t.test('a file that was damaged in OPFS is downloaded again', async () => {
    const damaged = await page.evaluate(async () => {
      const quern = await (await navigator.storage.getDirectory()).getDirectoryHandle('quern');
      let found = false;
      for await (const folder of /** @type {any} */ (quern).values()) {
        for await (const file of folder.values()) {
          if (!file.name.startsWith('params_shard_0')) continue;
          const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
          bytes[bytes.length >> 1] ^= 4;
          const writable = await file.createWritable();
          await writable.write(bytes);
          await writable.close();
          found = true;
        }
      }
      return found;
    });
    assert.ok(damaged);
    asked = [];
    await page.evaluate(async (model) => (await /** @type {any} */ (window).start({ model, store: 'opfs' })).dispose(), FIXTURE);
    assert.deepEqual([...new Set(weights().map((p) => p.split('/').at(-1)))], ['params_shard_0.bin']);
  });
  await t.test('errors keep their class across the worker, and the engine goes on', async () => {
    const result = await page.evaluate(async (model) => {
      const { QuernError } = await import(/** @type {any} */ ('/web/index.js'));
      const engine = await /** @type {any} */ (window).start({ model });
      const messages = [{ role: 'user', content: 'Hi' }];
      const caught = [];
      for (const request of [{ messages: 'no' }, { messages, nonsense: 1 }, { messages, temperature: 9 }, { messages: [{ role: 'user', content: 'x '.repeat(2000) }] }]) {
        const error = await engine.chat.completions.create(request).then(() => null, (/** @type {unknown} */ e) => e);
        caught.push([error instanceof QuernError, error?.name, error?.code]);
      }
      const fine = await engine.chat.completions.create({ messages, max_tokens: 2 });
      engine.dispose();
      const late = await engine.tokenize('a').catch((/** @type {any} */ e) => e.code);
      return { caught, fine: fine.usage.completion_tokens, late };
    }, FIXTURE);
    for (const [typed] of result.caught) assert.equal(typed, true, JSON.stringify(result.caught));
    assert.match(result.caught[1][2], /QN_E_(ARGUMENT|UNSUPPORTED)/);
    assert.equal(result.caught[3][2], 'QN_E_CONTEXT');
    assert.equal(result.fine, 2);
    assert.equal(result.late, 'QN_E_STATE');
  });
  await t.test('aborting a load and a chat', async () => {
    const names = await page.evaluate(async (model) => {
      const messages = [{ role: 'user', content: 'Hi' }];
      const controller = new AbortController();
      const loading = /** @type {any} */ (window).start({ model, store: 'memory', signal: controller.signal, onProgress: () => controller.abort() });
      const first = await loading.then(() => 'loaded', (/** @type {Error} */ e) => e.name);
      const engine = await /** @type {any} */ (window).start({ model });
      const second = new AbortController();
      const stream = await engine.chat.completions.create({ messages, stream: true }, { signal: second.signal });
      let chunks = 0;
      const ended = await (async () => {
        for await (const _ of stream) if (++chunks === 2) second.abort();
        return 'whole';
      })().catch((/** @type {Error} */ e) => e.name);
      const streamed = [];
      for await (const chunk of await engine.chat.completions.create({ messages, stream: true, stream_options: { include_usage: true }, max_tokens: 3 })) streamed.push(chunk);
      engine.dispose();
      return { first, ended, last: streamed.at(-1), finish: streamed.at(-2)?.choices[0].finish_reason };
    }, FIXTURE);
    assert.equal(names.first, 'AbortError');
    assert.ok(names.ended === 'AbortError' || names.ended === 'whole'); // it may be over before the abort arrives
    assert.equal(names.finish, 'length');
    assert.equal(names.last.usage.completion_tokens, 3);
    assert.deepEqual(names.last.choices, []);
  });
  await end();
});

/** In the page: an answer in a form with log-probabilities; beside tools a forced call, one that the model begins, and a free answer; on both backends. @param {string} fixture */
async function formed(fixture) {
  const policy = /** @type {any} */ (window).trustedTypes.createPolicy('test', { createScriptURL: (/** @type {string} */ s) => s });
  const { createEngine } = await import(/** @type {any} */ ('/web/index.js'));
  const names = ['mlc-chat-config.json', 'ndarray-cache.json', 'tokenizer.json', 'params_shard_0.bin'];
  const files = await Promise.all(names.map(async (name) => {
    const response = await fetch(fixture + name);
    if (name !== 'tokenizer.json') return new File([await response.blob()], name);
    const tokenizer = await response.json(); // calls begin with a token, in place of the last merged one
    tokenizer.model.merges.splice(47);
    tokenizer.model.vocab = Object.fromEntries(Object.entries(tokenizer.model.vocab).filter(([, id]) => id < 303));
    tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], content: '<tool_call>', special: false, id: 303 });
    return new File([JSON.stringify(tokenizer)], name);
  }));
  const template = "{% if tools %}<tool_call>{{ tools[0].function.name }}{% endif %}{% for m in messages %}{{ m.content }}\n{% endfor %}";
  files.push(new File([JSON.stringify({ chat_template: template })], 'tokenizer_config.json'));
  const integer = (/** @type {string} */ name) => ({ type: 'object', properties: { [name]: { type: 'integer', minimum: 2, maximum: 9 } }, required: [name], additionalProperties: false });
  const tools = [{ type: 'function', function: { name: 'roll', parameters: integer('sides') } }];
  const results = [];
  for (const backend of ['webgpu', 'cpu']) {
    const engine = await createEngine({ worker: new Worker(policy.createScriptURL('/web/worker.js'), { type: 'module' }), model: files, backend, kv: 'f32', context: 256 });
    const ask = async (/** @type {any} */ more) => (await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 120, temperature: 0, ...more })).choices[0];
    results.push({
      answer: await ask({ response_format: { type: 'json_schema', json_schema: { name: 'n', schema: integer('n') } }, logprobs: true, top_logprobs: 2 }),
      call: await ask({ tools, tool_choice: 'required', parallel_tool_calls: false }),
      begun: await ask({ tools, parallel_tool_calls: false, logit_bias: { 303: 100 } }),
      free: await ask({ tools, max_tokens: 8 }),
    });
    engine.dispose();
  }
  return results;
}

test('on WebGPU', small, async () => {
  const gpu = await chromium.launch({ executablePath, args: [...QUIET, ...GPU] });
  try {
    const { page, end } = await visit(`?model=${FIXTURE}`, {}, base, gpu);
    await page.waitForFunction(() => !document.querySelector('#device')?.textContent?.startsWith('Looking'));
    assert.match(await page.innerText('#device'), /software.*CPU/, 'a software adapter is not chosen by itself');
    await set(page, { backend: 'webgpu', max_tokens: '8', temperature: '0' });
    await load(page);
    assert.match(await page.innerText('[data-stat=device]'), /WebGPU/);
    const onGpu = await ask(page, 'Hello');
    await set(page, { backend: 'cpu' });
    await page.click('#model-chip');
    await load(page);
    assert.match(await page.innerText('[data-stat=device]'), /CPU/);
    assert.equal(await ask(page, 'Hello'), onGpu, 'both backends give the same greedy answer');
    const forms = await page.evaluate(formed, FIXTURE);
    for (const { answer, call, begun, free } of forms) {
      assert.ok(Number.isInteger(JSON.parse(answer.message.content).n), answer.message.content);
      assert.ok(answer.logprobs.content.length > 3 && answer.logprobs.content.every((/** @type {any} */ l) => l.logprob <= 0 && l.top_logprobs.length === 2));
      for (const { finish_reason: finish, message } of [call, begun]) {
        assert.deepEqual([finish, message.tool_calls.map((/** @type {any} */ c) => c.function.name)], ['tool_calls', ['roll']]);
        const { sides } = JSON.parse(message.tool_calls[0].function.arguments);
        assert.ok(Number.isInteger(sides) && sides >= 2 && sides <= 9);
      }
      assert.equal(free.message.tool_calls, undefined);
    }
    const [gpuTokens, cpuTokens] = forms.map(({ answer }) => answer.logprobs.content);
    assert.deepEqual(gpuTokens.map((/** @type {any} */ l) => l.token), cpuTokens.map((/** @type {any} */ l) => l.token), 'constrained, too');
    gpuTokens.forEach((/** @type {any} */ l, /** @type {number} */ i) => assert.ok(Math.abs(l.logprob - cpuTokens[i].logprob) < 0.01));
    await end();
  } finally {
    await gpu.close();
  }
});
