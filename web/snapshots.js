// Sessions that outlive the tab: the keys and values of a long prompt in the origin's private file
// system, one file each: every piece after its length, then a zero. What the bytes mean, and whether they are whole, the engine knows.

import { fail, STATUS } from './errors.js';
import { opfsRoot } from './store.js';

/** @typedef {{ getFileHandle(name: string, options?: { create?: boolean }): Promise<any>, removeEntry(name: string): Promise<void> }} Folder */

export class Snapshots {
  #requests;
  #folder;

  /** @param {import('./requests.js').Requests} requests @param {() => Promise<Folder>} [folder] */
  constructor(requests, folder = async () => (await opfsRoot()).getDirectoryHandle('sessions', { create: true })) {
    this.#requests = requests;
    this.#folder = folder;
  }

  /** @param {string} name @param {boolean} create */
  async #open(name, create) {
    try {
      const handle = await (await this.#folder()).getFileHandle(encodeURIComponent(name), { create });
      return await handle.createSyncAccessHandle();
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'NotFoundError') throw fail(STATUS.E_NOT_FOUND, `session "${name}"`, error);
      throw fail(STATUS.E_STORAGE, `session "${name}"`, error);
    }
  }

  /**
   * @param {string} name @param {Record<string, unknown>} request a chat whose prompt is to be kept @param {AbortSignal} signal
   * @returns {Promise<{ tokens: number, bytes: number }>}
   */
  async save(name, request, signal) {
    const file = await this.#open(name, true);
    let bytes = 0;
    const write = (/** @type {Uint8Array} */ data) => {
      if (file.write(data, { at: bytes }) !== data.length) throw fail(STATUS.E_STORAGE, 'the disk is full');
      bytes += data.length;
    };
    try {
      file.truncate(0);
      const tokens = await this.#requests.save(
        request,
        async (piece) => {
          write(new Uint8Array(Uint32Array.of(piece.length).buffer));
          write(piece);
        },
        signal,
      );
      write(new Uint8Array(4)); // no piece: the end
      file.flush();
      return { tokens, bytes };
    } catch (error) {
      file.truncate(0); // half of one is none
      throw error;
    } finally {
      file.close();
    }
  }

  /** @param {string} name @param {AbortSignal} signal */
  async restore(name, signal) {
    const file = await this.#open(name, false);
    const size = file.getSize();
    const read = (/** @type {number} */ at, /** @type {number} */ n) => {
      const data = new Uint8Array(n <= size - at ? n : 0);
      if (data.length !== n || file.read(data, { at }) !== n) throw fail(STATUS.E_TRUNCATED, `session "${name}"`);
      return data;
    };
    try {
      await this.#requests.restore(
        (function* () {
          for (let at = 0, n; (n = new Uint32Array(read(at, 4).buffer)[0]); at += 4 + n) yield read(at + 4, n);
        })(),
        signal,
      );
    } finally {
      file.close();
    }
  }

  /** @param {string} name */
  async remove(name) {
    await (await this.#folder()).removeEntry(encodeURIComponent(name)).catch(() => {});
  }
}
