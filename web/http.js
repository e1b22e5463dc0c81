// Files behind URLs: sizes and ranges, with retries, a count of the bytes as they arrive, and clear
// errors. Servers that ignore Range are borne.

import { fail, STATUS } from './errors.js';

const TRIES = 4;
const FIRST_WAIT_MS = 400;

/** @typedef {(bytes: number) => void} OnBytes told of every piece that arrives, in bytes */

/** @param {number} ms @param {AbortSignal} [signal] */
function wait(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('the operation was aborted', 'AbortError'));
    }, { once: true });
  });
}

/** @param {unknown} error */
const aborted = (error) => error instanceof DOMException && error.name === 'AbortError';

/**
 * Tries again what a bad moment broke: network failures, 429 and 5xx.
 * @template T @param {string} url @param {AbortSignal | undefined} signal @param {() => Promise<T>} attempt @returns {Promise<T>}
 */
async function persist(url, signal, attempt) {
  for (let i = 1; ; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (aborted(error) || signal?.aborted) throw new DOMException('the operation was aborted', 'AbortError');
      const retry = error instanceof TypeError || /** @type {any} */ (error)?.retry === true;
      if (!retry || i === TRIES) {
        if (error instanceof TypeError) throw fail(STATUS.E_NETWORK, `${url}: ${error.message}`, error);
        throw error;
      }
      await wait(FIRST_WAIT_MS * 2 ** (i - 1), signal);
    }
  }
}

/** @param {string} url @param {Response} response */
function refused(url, response) {
  const error = fail(STATUS.E_NETWORK, `${url}: HTTP ${response.status}`);
  return Object.assign(error, { retry: response.status === 429 || response.status >= 500 });
}

/** @implements {Pick<import('./files.js').Backing, 'size' | 'read'>} */
export class HttpFiles {
  /** @param {string} base URL that ends in '/' @param {OnBytes} [onBytes] */
  constructor(base, onBytes = () => {}) {
    this.base = base;
    this.onBytes = onBytes;
  }

  /** @param {string} name */
  url(name) {
    return new URL(name.split('/').map(encodeURIComponent).join('/'), this.base).href;
  }

  /** @param {string} name @param {AbortSignal} [signal] @returns {Promise<number | null>} */
  size(name, signal) {
    const url = this.url(name);
    return persist(url, signal, async () => {
      const head = await fetch(url, { method: 'HEAD', signal });
      if (head.status === 404 || head.status === 410) return null;
      const length = head.headers.get('content-length');
      // A compressed transfer tells the length of the compressed body.
      if (head.ok && length !== null && !head.headers.get('content-encoding')) return Number(length);
      return this.#sizeFromRange(url, signal);
    });
  }

  /** @param {string} url @param {AbortSignal} [signal] */
  async #sizeFromRange(url, signal) {
    const response = await fetch(url, { headers: { range: 'bytes=0-0' }, signal });
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) throw refused(url, response);
    const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
    if (total) {
      await response.body?.cancel();
      return Number(total);
    }
    // A partial answer that does not say of how much: only the whole file tells.
    const whole = response.status === 206 ? await fetch(url, { signal }) : response;
    if (!whole.ok) throw refused(url, whole);
    return (await whole.arrayBuffer()).byteLength;
  }

  /** @param {string} name @param {number} offset @param {number} n @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
  read(name, offset, n, signal) {
    const url = this.url(name);
    if (n === 0) return Promise.resolve(new Uint8Array(0));
    const out = new Uint8Array(n);
    let got = 0; // a retry goes on from here
    return persist(url, signal, async () => {
      const response = await fetch(url, { headers: { range: `bytes=${offset + got}-${offset + n - 1}` }, signal });
      if (!response.ok || !response.body) throw refused(url, response);
      const start = response.status === 206 ? startOf(response) ?? offset + got : 0; // 200: the whole file comes
      if (start > offset + got) throw fail(STATUS.E_NETWORK, `${url}: bytes from ${start} came for bytes from ${offset + got}`);
      const reader = response.body.getReader();
      for (let at = start - offset; got < n; ) {
        const { done, value } = await reader.read();
        if (done) break;
        const part = value.subarray(Math.max(0, got - at), Math.max(0, n - at));
        at += value.length;
        if (part.length === 0) continue;
        out.set(part, got);
        got += part.length;
        this.onBytes(part.length);
      }
      await reader.cancel();
      if (got < n) throw Object.assign(fail(STATUS.E_TRUNCATED, `${url}: ${got} of ${n} bytes from ${offset}`), { retry: true });
      return out;
    });
  }
}

/** Where a partial answer begins, when the server lets it be read. @param {Response} response */
function startOf(response) {
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** Files that the user picked. @implements {Pick<import('./files.js').Backing, 'size' | 'read'>} */
export class BlobFiles {
  /** @param {File[]} files */
  constructor(files) {
    this.files = new Map(files.map((f) => [f.name, f]));
  }

  /** @param {string} name */
  async size(name) {
    return this.files.get(name)?.size ?? null;
  }

  /** @param {string} name @param {number} offset @param {number} n */
  async read(name, offset, n) {
    const file = this.files.get(name);
    if (!file) throw fail(STATUS.E_NOT_FOUND, name);
    return new Uint8Array(await file.slice(offset, offset + n).arrayBuffer());
  }
}
