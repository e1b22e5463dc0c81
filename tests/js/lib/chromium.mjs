// An engine in Chromium with WebGPU on SwiftShader, whose GPU a test spoils. The tests' page has `quern` and `start`.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';

import { chromium } from 'playwright-core';

import { createStaticServer, listen } from '../../../tools/serve.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const fixtures = join(resolve(process.env.QN_SHARED ?? '../shared'), 'fixtures');
export const skip = !existsSync(executablePath) ? 'skipped: no Chromium' : !existsSync(fixtures) ? 'skipped: no ../shared' : false;
export const timeout = 240_000;

const FILES = {
  'index.html': '<!doctype html><title>test</title><script type="module" src="app.js"></script>',
  'app.js': `import * as quern from '/web/index.js';
    import * as webllm from '/web/webllm/index.js';
    const worker = (driver) => new Worker('worker.js?' + (driver ?? ''), { type: 'module' });
    const start = (model, options = {}, driver = '') => quern.createEngine({ model: '/fixtures/' + model, worker: worker(driver), ...options });
    Object.assign(window, { quern, webllm, worker, start });`,
  'worker.js': "import './driver.js'; import '/web/worker.js';",
  // A "real" adapter; one that computes matrices wrongly; one that is lost as soon as it is asked to, or at its first module.
  'driver.js': `const how = location.search.slice(1);
    if (how) Object.defineProperty(GPUAdapterInfo.prototype, 'architecture', { get: () => 'hardware' });
    if (how) Object.defineProperty(GPUAdapterInfo.prototype, 'description', { get: () => 'a real one' });
    const devices = [];
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      devices.push(await requestDevice.apply(this, args));
      return devices.at(-1);
    };
    const { createShaderModule } = GPUDevice.prototype;
    GPUDevice.prototype.createShaderModule = function (d) {
      if (how === 'dies') this.destroy();
      return createShaderModule.call(this, how === 'wrong' ? { ...d, code: d.code.replace('@compute @workgroup_size(THREADS)', '@compute @workgroup_size(1)') } : d);
    };
    addEventListener('message', (event) => {
      if (event.data !== 'lose') return;
      event.stopImmediatePropagation();
      for (const device of devices) device.destroy();
    });`,
};

/** @type {import('node:http').Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {import('playwright-core').Page} */ let page;
let folder = '';

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'quern-chromium-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  server = createStaticServer({ isolation: false, csp: '', extra: { app: folder, fixtures } });
  const base = `http://localhost:${await listen(server, 0)}`;
  const args = ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
  browser = await chromium.launch({ executablePath, args });
  page = await browser.newPage();
  await page.goto(`${base}/app/index.html`);
  await ready();
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  if (folder) rmSync(folder, { recursive: true });
});

const ready = () => page.waitForFunction(() => 'start' in window);

export async function reload() {
  await page.reload();
  await ready();
}

/**
 * Runs in the page.
 * @template T, A @param {(on: any, argument: A) => Promise<T>} work `on` has quern, webllm, worker(driver) and start(model, options, driver)
 * @param {A} [argument] @returns {Promise<T>}
 */
export const inPage = (work, argument) => page.evaluate(`(${work})(window, ${JSON.stringify(argument) ?? 'undefined'})`);
