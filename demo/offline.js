// The badge that says whether this page needs a network, and proves it: it counts the requests of the
// page and of the engine since the model was loaded, and looks for the page's files and the model's
// in this browser's storage. The test itself makes no request.

import { storedModel } from '../web/index.js';
import { byId, el } from './dom.js';
import * as format from './format.js';
import { startServiceWorker } from './scripts.js';

const PAGE_CACHE = 'quern-page-v1';
const KEEP_MS = 15_000; // a service worker that takes longer is not waited for again

/** @typedef {{ text: string, ok: boolean }} Finding */

export class Offline {
  #requests = 0; // of this page, since the model was loaded
  /** @type {import('../web/index.js').Engine | null} */
  #engine = null;
  /** @type {string | null} null: files that the user picked */
  #model = null;
  #baseline = 0; // requests of the engine when it was ready
  #wasm = ''; // URL of the engine's module
  /** @type {Promise<ServiceWorkerRegistration | null>} */
  #service = Promise.resolve(null);

  start() {
    this.#service = startServiceWorker();
    new PerformanceObserver((list) => {
      if (!this.#engine) return;
      this.#requests += list.getEntries().length;
      this.test();
    }).observe({ type: 'resource' });
    window.addEventListener('online', () => this.test());
    window.addEventListener('offline', () => this.test());
    const badge = byId('offline');
    badge.addEventListener('click', () => this.#toggle(badge.getAttribute('aria-expanded') !== 'true'));
    document.addEventListener('keydown', (event) => event.key === 'Escape' && this.#toggle(false));
    document.addEventListener('pointerdown', (event) => {
      const target = /** @type {Node} */ (event.target);
      if (!byId('offline-report').contains(target) && !badge.contains(target)) this.#toggle(false);
    });
    this.test();
  }

  /** @param {boolean} open */
  #toggle(open) {
    byId('offline').setAttribute('aria-expanded', String(open));
    byId('offline-report').hidden = !open;
    if (open) this.test();
  }

  /**
   * Resolves when all is kept that will be: from then on nothing is asked for.
   * @param {import('../web/index.js').Engine} engine @param {string | null} model
   */
  async loaded(engine, model) {
    this.#wasm = new URL(`../web/wasm/quern-${engine.info.variant}.wasm`, import.meta.url).href;
    await this.#keep(this.#wasm);
    this.#baseline = await engine.requests();
    this.#engine = engine;
    this.#model = model;
    this.#requests = 0;
    await this.test();
  }

  /** Has the service worker keep a file, and waits for it, but not for ever. @param {string} url */
  async #keep(url) {
    if (!(await this.#service)) return;
    const { port1, port2 } = new MessageChannel();
    const kept = navigator.serviceWorker.ready.then(({ active }) => new Promise((resolve) => {
      port1.onmessage = resolve;
      active?.postMessage({ keep: url }, [port2]);
    }));
    const late = new Promise((resolve) => setTimeout(() => resolve('late'), KEEP_MS));
    if ((await Promise.race([kept, late])) === 'late') this.#service = Promise.resolve(null);
    port1.close();
  }

  unloaded() {
    this.#engine = null;
    this.test();
  }

  /** @returns {Promise<Finding[]>} */
  async #look() {
    /** @type {Finding[]} */
    const findings = [{ ok: true, text: navigator.onLine ? 'This device is connected.' : 'This device is offline.' }];
    if (this.#engine) {
      const n = this.#requests + (await this.#engine.requests().catch(() => this.#baseline)) - this.#baseline;
      findings.push({ ok: n === 0, text: `${n} ${n === 1 ? 'request' : 'requests'} since the model was loaded, by this page and the engine.` });
    }
    const files = await keptFiles(this.#engine ? this.#wasm : null);
    findings.push({ ok: files > 0, text: files ? `The page itself is kept here (${files} files): it opens without a network.` : 'The page itself is not kept here: it cannot be opened again without a network.' });
    if (this.#engine && this.#model === null) findings.push({ ok: true, text: 'The model comes from files of this device.' });
    if (this.#engine && this.#model !== null) {
      const { bytes, store } = await storedModel(this.#model).catch(() => ({ bytes: 0, store: 'memory' }));
      findings.push({ ok: bytes > 0, text: bytes ? `The model is kept here (${format.bytes(bytes)}, ${store === 'opfs' ? 'in this site\'s files' : 'in this site\'s cache'}).` : 'The model is not kept here: it would be downloaded again.' });
    }
    return findings;
  }

  async test() {
    const findings = await this.#look();
    const [, ...rest] = findings;
    const ready = this.#engine !== null && rest.every((f) => f.ok);
    const badge = byId('offline');
    badge.dataset.state = ready ? 'ready' : navigator.onLine ? 'online' : 'offline';
    byId('offline-text').textContent = ready ? (navigator.onLine ? 'Works offline' : 'Offline, works') : navigator.onLine ? 'Online' : 'Offline';
    byId('offline-report').replaceChildren(
      el('h2', {}, ready ? 'No network is needed' : 'Offline self-test'),
      el('ul', {}, ...findings.map((f) => el('li', { class: f.ok ? 'ok' : 'no' }, f.text))),
    );
  }
}

/** @param {string | null} needed @returns {Promise<number>} files of the page in its cache; 0 without the needed one */
async function keptFiles(needed) {
  try {
    const cache = await caches.open(PAGE_CACHE);
    return needed && !(await cache.match(needed)) ? 0 : (await cache.keys()).length;
  } catch {
    return 0;
  }
}
