// A page in Chromium that has quern/webllm, for tests of applications of web-llm. The hub is a fixture behind its address.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';

import { chromium } from 'playwright-core';

import { createStaticServer, listen } from '../../../tools/serve.mjs';
import { writeEncoder } from './encoder.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const fixtures = join(resolve(process.env.QN_SHARED ?? '../shared'), 'fixtures');
export const skip = !existsSync(executablePath) ? 'skipped: no Chromium' : !existsSync(fixtures) ? 'skipped: no ../shared' : false;
export const timeout = 120_000;

export const ID = 'Llama-3.2-1B-Instruct-q4f16_1-MLC';
export const OTHER = 'Qwen2.5-0.5B-Instruct-q4f16_1-MLC';
export const EMBEDDER = 'snowflake-arctic-embed-m-q0f32-MLC';
/** Which folder stands for a repository. */
const HUB = /** @type {Record<string, string>} */ ({ [ID]: `${fixtures}/mlc/llama_q4f16_1`, [OTHER]: `${fixtures}/mlc/qwen2_q4f16_1` });

/** @type {import('node:http').Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {import('playwright-core').Page} */ let page;
let folder = '';
let base = '';
/** What went wrong on the page. @type {string[]} */ export const errors = [];

const FILES = {
  'index.html': '<!doctype html><title>test</title><script type="module" src="app.js"></script>',
  'app.js': "import * as webllm from '/web/webllm/index.js'; window.webllm = webllm;",
  'worker.js': `import { WebWorkerMLCEngineHandler } from '/web/webllm/index.js';
    const handler = new WebWorkerMLCEngineHandler();
    handler.setLogitProcessorRegistry(new Map([['${ID}', { processLogits: (l) => ((l[7] = 1000), l), processSampledToken() {}, resetState() {} }]]));
    onmessage = (message) => handler.onmessage(message);`,
  'trusted.html': '<!doctype html><meta http-equiv="Content-Security-Policy" content="require-trusted-types-for \'script\'; trusted-types app"><script type="module" src="trusted.js"></script>',
  'trusted.js': `import { CreateMLCEngine } from '/web/webllm/index.js';
    const policy = trustedTypes.createPolicy('app', { createScriptURL: (url) => url });
    const ask = async (config) => {
      const engine = await CreateMLCEngine('${ID}', config);
      const { usage } = await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 3, ignore_eos: true });
      await engine.unload();
      return usage.completion_tokens;
    };
    const own = await ask({ createWorker: () => new Worker(policy.createScriptURL('/web/worker.js'), { type: 'module' }) });
    window.told = [own, await ask().catch((error) => error.name)];`,
  'sw.js': "import { ServiceWorkerMLCEngineHandler } from '/web/webllm/index.js'; new ServiceWorkerMLCEngineHandler(); addEventListener('activate', (e) => e.waitUntil(clients.claim()));",
};

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'quern-webllm-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  HUB[EMBEDDER] = join(folder, 'encoder');
  writeEncoder(HUB[EMBEDDER], 'mlc');
  server = createStaticServer({ isolation: false, csp: '', extra: { app: folder, fixtures } });
  base = `http://localhost:${await listen(server, 0)}`;
  browser = await chromium.launch({ executablePath, args: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'] });
  const context = await browser.newContext();
  await context.route('https://huggingface.co/**', (route) => {
    const [, id, name] = /mlc-ai\/([^/]+)\/resolve\/main\/(.+)$/.exec(route.request().url()) ?? [];
    const path = join(HUB[id] ?? 'none', name ?? '');
    const headers = { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*', 'accept-ranges': 'bytes' };
    if (!existsSync(path)) return route.fulfill({ status: 404, headers });
    const body = readFileSync(path);
    const range = /bytes=(\d+)-(\d*)/.exec(route.request().headers().range ?? '');
    if (!range) return route.fulfill({ status: 200, headers, body });
    const [start, end] = [Number(range[1]), Math.min(range[2] ? Number(range[2]) : Infinity, body.length - 1)];
    return route.fulfill({ status: 206, headers: { ...headers, 'content-range': `bytes ${start}-${end}/${body.length}` }, body: body.subarray(start, end + 1) });
  });
  page = await context.newPage();
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${base}/app/index.html`);
  await page.waitForFunction(() => 'webllm' in window);
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** Runs in the page. @template T @param {(webllm: any, id: string, other: string) => Promise<T>} work @returns {Promise<T>} */
export const inPage = (work) => page.evaluate(`(${work})(window.webllm, '${ID}', '${OTHER}')`);
