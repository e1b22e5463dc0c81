// Weights kept in this browser: blocks of files under the URL they came from, each with its SHA-256,
// in OPFS, else in the Cache API, else nowhere. Losing any of it only costs a download.

import { fail, STATUS } from './errors.js';

export const BLOCK = 8 << 20; // bytes of a block; the last of a file is shorter

/**
 * One model's blocks and what is known about its files.
 * @typedef {object} BlockStore
 * @property {'opfs' | 'cache' | 'memory'} kind
 * @property {() => Promise<string | null>} readMeta a JSON text
 * @property {(json: string) => Promise<void>} writeMeta
 * @property {(name: string, block: number) => Promise<Uint8Array | null>} read
 * @property {(name: string, block: number, bytes: Uint8Array) => Promise<void>} write
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Meta
 * @property {1} version
 * @property {string} base URL
 * @property {number} used when it was last loaded, milliseconds since 1970
 * @property {boolean} [whole] everything that loading needs is kept
 * @property {Record<string, { size: number | null, blocks: Record<string, string> }>} files null: there is no such
 *   file; blocks: SHA-256 by index
 */

/** @param {Uint8Array} bytes @returns {Promise<string>} hexadecimal */
export async function sha256(bytes) {
  const digest = await crypto.subtle.digest('SHA-256', /** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** The folder of a model: a hash, so that any URL is a valid name. @param {string} base */
export async function storeKey(base) {
  return (await sha256(new TextEncoder().encode(base))).slice(0, 32);
}

// ---- OPFS

/** @param {string} name */
const fileName = (name) => name.replaceAll('/', '__');

/** @returns {Promise<FileSystemDirectoryHandle>} */
export async function opfsRoot() {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('quern', { create: true });
}

/** Safari's way, in workers only. A tab that dies leaves half a file, which its SHA-256 gives away. @param {any} handle @param {Uint8Array} bytes */
async function putSync(handle, bytes) {
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    if (access.write(bytes, { at: 0 }) !== bytes.length) throw new DOMException('the disk is full', 'QuotaExceededError');
    access.flush();
  } finally {
    access.close();
  }
}

class OpfsStore {
  kind = /** @type {const} */ ('opfs');

  /** @param {FileSystemDirectoryHandle} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /** @param {string} name @returns {Promise<Uint8Array | null>} */
  async #file(name) {
    try {
      const handle = await this.folder.getFileHandle(name);
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return null;
      throw error;
    }
  }

  /** @param {string} name @param {Uint8Array} bytes */
  async #put(name, bytes) {
    const handle = await this.folder.getFileHandle(name, { create: true });
    if (!handle.createWritable) return putSync(handle, bytes);
    // A writable replaces the file at close(): a tab that dies leaves the old one or none.
    const writable = await handle.createWritable();
    try {
      await writable.write(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
    } catch (error) {
      await writable.abort().catch(() => {});
      throw error;
    }
    await writable.close();
  }

  async readMeta() {
    const bytes = await this.#file('meta.json');
    return bytes && new TextDecoder().decode(bytes);
  }

  /** @param {string} json */
  writeMeta(json) {
    return this.#put('meta.json', new TextEncoder().encode(json));
  }

  /** @param {string} name @param {number} block */
  read(name, block) {
    return this.#file(`${fileName(name)}.${block}`);
  }

  /** @param {string} name @param {number} block @param {Uint8Array} bytes */
  write(name, block, bytes) {
    return this.#put(`${fileName(name)}.${block}`, bytes);
  }

  async close() {}
}

// ---- Cache API

export const CACHE_PREFIX = 'quern/';

class CacheStore {
  kind = /** @type {const} */ ('cache');

  /** @param {Cache} cache */
  constructor(cache) {
    this.cache = cache;
  }

  /** Keys are URLs of this origin that no server answers. @param {string} name */
  #url(name) {
    return new URL(`/.quern/${encodeURIComponent(name)}`, location.href).href;
  }

  /** @param {string} name */
  async #get(name) {
    const response = await this.cache.match(this.#url(name));
    return response ? new Uint8Array(await response.arrayBuffer()) : null;
  }

  async readMeta() {
    const bytes = await this.#get('meta.json');
    return bytes && new TextDecoder().decode(bytes);
  }

  /** @param {string} json */
  writeMeta(json) {
    return this.cache.put(this.#url('meta.json'), new Response(json));
  }

  /** @param {string} name @param {number} block */
  read(name, block) {
    return this.#get(`${name}.${block}`);
  }

  /** @param {string} name @param {number} block @param {Uint8Array} bytes */
  write(name, block, bytes) {
    return this.cache.put(this.#url(`${name}.${block}`), new Response(/** @type {Uint8Array<ArrayBuffer>} */ (bytes)));
  }

  async close() {}
}

/** @type {BlockStore} */
const nowhere = {
  kind: 'memory',
  readMeta: async () => null,
  writeMeta: async () => {},
  read: async () => null,
  write: async () => {},
  close: async () => {},
};

/**
 * The best store there is; none is an answer too (private windows, storage switched off).
 * @param {string} base @param {'auto' | 'opfs' | 'cache' | 'memory'} wish
 * @param {boolean} [create] false: only one that is there
 * @returns {Promise<BlockStore>}
 */
export async function openStore(base, wish, create = true) {
  const key = await storeKey(base);
  /** @type {unknown} */
  let reason;
  if (wish === 'auto' || wish === 'opfs') {
    try {
      return new OpfsStore(await (await opfsRoot()).getDirectoryHandle(key, { create }));
    } catch (error) {
      reason = error;
    }
  }
  if (wish === 'auto' || wish === 'cache') {
    try {
      if (!create && !(await caches.has(CACHE_PREFIX + key))) throw fail(STATUS.E_NOT_FOUND, base);
      return new CacheStore(await caches.open(CACHE_PREFIX + key));
    } catch (error) {
      reason = error;
    }
  }
  if (wish === 'opfs' || wish === 'cache') throw fail(STATUS.E_STORAGE, `${wish}: ${reason}`, reason);
  return nowhere;
}
