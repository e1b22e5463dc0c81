// Keeps the page's own files (this folder and ../web/), never a model: those lie in OPFS. With a
// network the newest file is taken and kept; without one, the kept file answers.

const CACHE = 'quern-page-v1';
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
const ROOT = new URL('../', worker.location.href).href; // of demo/ and web/

const START = ['demo/', 'demo/style.css', 'demo/icon.svg', 'demo/main.js', 'demo/worker.js', 'web/thread.js'];

/** Modules name their modules: everything that can be reached from the page is found by reading. */
async function keepAll() {
  const cache = await caches.open(CACHE);
  const seen = new Set(START.map((path) => ROOT + path));
  for (const url of seen) {
    const response = await fetch(url, { cache: 'no-cache' });
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    await cache.put(url, response.clone());
    if (!url.endsWith('.js')) continue;
    for (const [, name] of (await response.text()).matchAll(/(?:from|import)\s*['"](\.\.?\/[\w./-]+\.js)['"]/g)) seen.add(new URL(name, url).href);
  }
}

/** @param {URL} url */
const ours = (url) => ['demo/', 'web/'].some((folder) => url.href.startsWith(ROOT + folder));

/** @param {Request} request @param {string} key */
async function answer(request, key) {
  try {
    const response = await fetch(request);
    if (response.ok && response.status === 200) await (await caches.open(CACHE)).put(key, response.clone());
    return response;
  } catch (error) {
    const kept = await caches.match(key, { cacheName: CACHE });
    if (kept) return kept;
    throw error;
  }
}

worker.addEventListener('install', (event) => event.waitUntil(keepAll().then(() => worker.skipWaiting())));

worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || request.headers.has('range') || !ours(url)) return;
  url.search = '';
  url.hash = '';
  event.respondWith(answer(request, url.href.replace(/index\.html$/, '')));
});

// The page names a file that was used before this worker was there: the engine's wasm module.
worker.addEventListener('message', (event) => {
  const { keep } = /** @type {{ keep?: string }} */ (event.data ?? {});
  const url = keep && new URL(keep, ROOT);
  if (!url || !ours(url)) return;
  const kept = caches.open(CACHE).then(async (cache) => {
    if (!(await cache.match(url.href))) await cache.add(url.href);
  });
  event.waitUntil(kept.then(() => event.ports[0]?.postMessage(true), () => event.ports[0]?.postMessage(false)));
});
