// From what an application names as a model to files: the catalogue, the hub, a URL, picked files –
// through the store, so that a second load takes nothing from the network.

import { findModel } from './catalog.js';
import { fail, STATUS } from './errors.js';
import { BlobFiles, HttpFiles } from './http.js';
import { BLOCK, openStore, sha256 } from './store.js';

/** @typedef {import('./files.js').Backing} Backing */
/** @typedef {import('./store.js').Meta} Meta */

/**
 * @typedef {object} Source
 * @property {string} name for people
 * @property {string} main name of a .gguf file (of a split model the first part's; the others are found beside it), or '' for a folder
 * @property {Backing} backing
 * @property {() => { received: number, verified: number }} traffic bytes so far: that came over the network; that were kept
 *   here and matched their SHA-256
 * @property {() => Promise<void>} done all is loaded: write down what is kept
 */

/** @typedef {{ base: string, main: string, name: string }} Place */

/**
 * @param {string | undefined} model
 * @returns {Place} base: URL of a folder, ending in '/'
 */
export function resolveModel(model) {
  const entry = findModel(model ?? 'grist');
  const text = entry ? entry.source : String(model);
  const name = entry ? entry.name : text;
  const hub = /^hf:([\w.-]+\/[\w.-]+)(?:@([\w./-]+?))?(?:\/([\w./-]+\.gguf))?$/.exec(text);
  if (hub) return { name, base: `https://huggingface.co/${hub[1]}/resolve/${hub[2] ?? 'main'}/`, main: hub[3] ?? '' };
  let url;
  try {
    url = new URL(text, entry ? import.meta.url : globalThis.location?.href);
  } catch {
    url = null;
  }
  if (!url || !/^(https?|file):$/.test(url.protocol) || (!entry && !/[/.]/.test(text))) {
    throw fail(STATUS.E_NOT_FOUND, `the model "${text}" is not in the catalogue and is no hf: name or URL`);
  }
  const slash = url.pathname.lastIndexOf('/');
  const file = url.pathname.slice(slash + 1);
  if (!file.endsWith('.gguf')) return { name, base: url.href.endsWith('/') ? url.href : `${url.href}/`, main: '' };
  return { name, base: new URL(url.pathname.slice(0, slash + 1), url).href, main: decodeURIComponent(file) };
}

/** Of several names that of the .gguf file, the first part of a split model; '' where there is none. @param {string[]} names */
export function mainFile(names) {
  return names.filter((n) => n.endsWith('.gguf')).sort()[0] ?? '';
}

/**
 * @param {string | File | File[] | undefined} model
 * @param {{ store: 'auto' | 'opfs' | 'cache' | 'memory', onBytes?: () => void }} options onBytes: something arrived
 * @returns {Promise<Source>}
 */
export async function openSource(model, { store: wish, onBytes = () => {} }) {
  if (model && typeof model !== 'string') {
    const files = Array.isArray(model) ? model : [model];
    const main = mainFile(files.map((f) => f.name));
    return { name: main || files[0]?.name || 'files', main, backing: new BlobFiles(files), traffic: () => ({ received: 0, verified: 0 }), done: async () => {} };
  }
  const place = resolveModel(model);
  let received = 0;
  const http = new HttpFiles(place.base, (n) => {
    received += n;
    onBytes();
  });
  let verified = 0;
  const backing = new StoredFiles(http, await openStore(place.base, wish), place.base, (n) => {
    verified += n;
    onBytes();
  });
  await backing.open();
  return { ...place, backing, traffic: () => ({ received, verified }), done: () => backing.flush() };
}

/** What was written down by this version, and whole. @param {any} meta @returns {meta is Meta} */
function isMeta(meta) {
  if (meta?.version !== 1 || typeof meta.files !== 'object' || !meta.files) return false;
  return Object.values(meta.files).every((f) => (f?.size === null || (Number.isSafeInteger(f?.size) && f.size >= 0)) && typeof f.blocks === 'object' && f.blocks);
}

/**
 * HTTP files through a block store. Blocks are checked against their SHA-256 when they come from the
 * store; one that does not match, or is gone, is downloaded again. A store that fails (quota,
 * eviction) is left alone from then on: the model goes on loading from the network.
 * @implements {Backing}
 */
export class StoredFiles {
  /** @type {Meta} */
  #meta;
  /** @type {Map<string, Promise<Uint8Array>>} blocks on their way, so that none is fetched twice */
  #coming = new Map();
  #dirty = false;
  #broken = false;
  /** @type {Promise<void>} writes happen one after another */
  #writes = Promise.resolve();

  /**
   * @param {Pick<HttpFiles, 'size' | 'read' | 'url'>} http @param {import('./store.js').BlockStore} store @param {string} base
   * @param {(bytes: number) => void} [onVerified] told of every kept block that is as it was
   */
  constructor(http, store, base, onVerified = () => {}) {
    this.onVerified = onVerified;
    this.http = http;
    this.store = store;
    this.#meta = { version: 1, base, used: 0, files: {} };
  }

  async open() {
    try {
      const meta = JSON.parse((await this.store.readMeta()) ?? 'null');
      if (isMeta(meta)) this.#meta = meta;
    } catch {
      // What cannot be read is as good as nothing stored.
    }
  }

  /** @param {string} name */
  sizeSync(name) {
    return Object.hasOwn(this.#meta.files, name) ? this.#meta.files[name].size : undefined;
  }

  /** @param {string} name @param {AbortSignal} [signal] */
  async size(name, signal) {
    const known = this.sizeSync(name);
    if (known !== undefined) return known;
    const size = await this.http.size(name, signal);
    this.#meta.files[name] = { size, blocks: {} };
    this.#dirty = true;
    return size;
  }

  /** @param {string} name @param {number} offset @param {number} n @param {AbortSignal} [signal] */
  async read(name, offset, n, signal) {
    const size = await this.size(name, signal);
    if (size === null) throw fail(STATUS.E_NOT_FOUND, this.http.url(name));
    if (this.store.kind === 'memory') return this.http.read(name, offset, n, signal); // nothing is kept: no more than is asked for
    const out = new Uint8Array(n);
    const last = Math.floor((offset + n - 1) / BLOCK);
    const blocks = [];
    for (let block = Math.floor(offset / BLOCK); block <= last; block++) blocks.push(this.#block(name, block, size, signal));
    (await Promise.all(blocks)).forEach((bytes, i) => {
      const at = (last - blocks.length + 1 + i) * BLOCK;
      const from = Math.max(offset, at);
      const to = Math.min(offset + n, at + bytes.length);
      out.set(bytes.subarray(from - at, to - at), from - offset);
    });
    return out;
  }

  /** @param {string} name @param {number} block @param {number} size @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
  #block(name, block, size, signal) {
    const key = `${block} ${name}`;
    const coming = this.#coming.get(key);
    if (coming) return coming;
    const promise = this.#fetchBlock(name, block, size, signal);
    this.#coming.set(key, promise);
    // Neighbouring ranges share a block: keep it for a moment, not for good (memory stays bounded).
    promise.then(() => setTimeout(() => this.#coming.delete(key), 2000), () => this.#coming.delete(key));
    while (this.#coming.size > 8) this.#coming.delete(/** @type {string} */ (this.#coming.keys().next().value));
    return promise;
  }

  /** @param {string} name @param {number} block @param {number} size @param {AbortSignal} [signal] */
  async #fetchBlock(name, block, size, signal) {
    const n = Math.min(BLOCK, size - block * BLOCK);
    const hash = this.#meta.files[name].blocks[block];
    if (hash) {
      const kept = await this.store.read(name, block).catch(() => null);
      if (kept?.length === n && (await sha256(kept)) === hash) {
        this.onVerified(n);
        return kept;
      }
      delete this.#meta.files[name].blocks[block];
    }
    const bytes = await this.http.read(name, block * BLOCK, n, signal);
    this.#keep(name, block, bytes);
    return bytes;
  }

  /** @param {string} name @param {number} block @param {Uint8Array} bytes */
  #keep(name, block, bytes) {
    this.#writes = this.#writes.then(async () => {
      if (this.#broken) return;
      try {
        await this.store.write(name, block, bytes);
        this.#meta.files[name].blocks[block] = await sha256(bytes);
        this.#dirty = true;
        await this.#writeMeta(); // a tab that dies resumes here
      } catch {
        this.#broken = true;
      }
    });
  }

  async #writeMeta() {
    this.#meta.used = Date.now();
    await this.store.writeMeta(JSON.stringify(this.#meta));
    this.#dirty = false;
  }

  /** Waits until everything is kept; a store that failed is no error. */
  async flush() {
    await this.#writes;
    if (!this.#broken && !this.#meta.whole) this.#meta.whole = this.#dirty = true;
    if (this.#dirty && !this.#broken) await this.#writeMeta().catch(() => {});
    await this.store.close();
  }
}
