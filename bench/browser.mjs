// Chromium and the pages that are measured or tested in it: folders served on localhost with the headers
// that shared memory needs, without the demonstration page's content policy (other engines start
// their workers from blobs).

import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};
const PAGE = '<!doctype html><meta charset="utf-8"><title>Quern</title><link rel="icon" href="data:,">';

/**
 * @param {Record<string, string>} folders by first part of the path, beside web, models, npm and bench
 * @returns {Promise<{ url: string, close(): void }>}
 */
export function serve(folders = {}) {
  /** @type {Record<string, string>} */
  const all = { web: join(root, 'web'), models: join(root, 'models'), npm: join(root, 'node_modules'), bench: join(root, 'bench'), ...folders };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    // A hub has a model's files below resolve/REVISION.
    const [, first, ...rest] = path.replace(/\/resolve\/main\//, '/').split('/');
    const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'same-origin', 'accept-ranges': 'bytes', 'cache-control': 'no-store' };
    if (path === '/') {
      response.writeHead(200, { ...headers, 'content-type': TYPES['.html'] });
      return response.end(PAGE);
    }
    const file = Object.hasOwn(all, first) ? join(all[first], ...rest) : '';
    if (!file || rest.includes('..') || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404, headers);
      return response.end();
    }
    const { size } = statSync(file);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-type': TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? 'application/octet-stream',
      'content-length': Math.max(0, end - start + 1),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === 'HEAD' || size === 0) return response.end();
    createReadStream(file, { start, end }).on('error', () => response.destroy()).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      resolve({ url: `http://localhost:${port}/`, close: () => (server.closeAllConnections(), server.close()) });
    });
  });
}

/** Where a Chromium is, or undefined. */
export function findChromium() {
  return [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
}

const VULKAN = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--use-vulkan=native', '--use-angle=vulkan', '--ignore-gpu-blocklist', '--disable-gpu-sandbox', '--disable-vulkan-surface', '--enable-gpu'];
/** Flags by adapter: none, the software one, the machine's through Vulkan, the same with shader-f16 where Dawn hides it (NVIDIA). */
const GPU_FLAGS = {
  none: ['--disable-gpu'],
  swiftshader: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  vulkan: VULKAN,
  'vulkan-f16': [...VULKAN, '--enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis'],
};
export const ADAPTERS = /** @type {(keyof typeof GPU_FLAGS)[]} */ (Object.keys(GPU_FLAGS));

/**
 * A page on the served origin, in a browser with a profile of its own: what engines store lies on disk, as for anyone, and goes at the end.
 * @param {string} url @param {{ gpu?: keyof typeof GPU_FLAGS, log?: (line: string) => void }} [options]
 */
export async function openPage(url, { gpu = 'swiftshader', log = () => {} } = {}) {
  const { chromium } = await import('playwright-core');
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium: install it or set CHROMIUM');
  const profile = mkdtempSync(join(tmpdir(), 'quern-bench-'));
  const forget = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  const context = await chromium
    .launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu-watchdog', '--disable-background-networking', '--disable-renderer-backgrounding', '--disable-background-timer-throttling', '--enable-precise-memory-info', ...GPU_FLAGS[gpu]],
    })
    .catch((error) => {
      forget();
      throw error;
    });
  const page = await context.newPage();
  page.setDefaultTimeout(0);
  page.on('console', (m) => log(`[${m.type()}] ${m.text()}`));
  page.on('pageerror', (e) => log(`[error] ${e}`));
  page.on('crash', () => log('[crash] the page is gone'));
  await page.goto(url);
  const version = context.browser()?.version() ?? '';
  return { page, version, close: () => context.close().finally(forget) };
}
