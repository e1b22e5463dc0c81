// The files of one model as the wasm module asks for them: synchronously, with the answer "not here
// yet" (decision 1: C never waits). What is missing is remembered and fetched between two calls.

import { fail, STATUS } from './errors.js';

/**
 * Where bytes come from: a server, a store, a disk, a File.
 * @typedef {object} Backing
 * @property {(name: string, signal?: AbortSignal) => Promise<number | null>} size bytes, or null: no such file
 * @property {(name: string, offset: number, n: number, signal?: AbortSignal) => Promise<Uint8Array>} read
 * @property {(name: string, offset: number, target: Uint8Array) => boolean} [readSync] fills the target at once, or says false
 * @property {(name: string) => number | null | undefined} [sizeSync] undefined: not known without waiting
 */

const READ_AHEAD = 1 << 20; // metadata is read in growing steps from here on
const READ_AHEAD_MAX = 16 << 20;
export const RANGE = 8 << 20; // most bytes that are fetched as one range of weights

/** @typedef {{ offset: number, bytes: Uint8Array }} Segment */
/** @typedef {{ file: string, offset: number, size: number }} Range */

export class ModelFiles {
  /** @param {Backing} backing */
  constructor(backing) {
    this.backing = backing;
    /** @type {Map<string, number | null>} */
    this.sizes = new Map();
    /** @type {Map<string, Segment[]>} */
    this.segments = new Map();
    /** @type {Map<string, number>} how much the next miss of a file reads ahead */
    this.ahead = new Map();
    /** @type {{ name: string, offset: number, n: number } | { name: string } | null} */
    this.need = null;
  }

  // ---- what the module calls

  /** @param {string} name @returns {number} bytes, or a negative status */
  size(name) {
    let size = this.sizes.get(name);
    if (size === undefined) {
      size = this.backing.sizeSync?.(name);
      if (size !== undefined) this.sizes.set(name, size);
    }
    if (size === undefined) {
      this.need = { name };
      return -STATUS.E_NEED_DATA;
    }
    return size === null ? -STATUS.E_NOT_FOUND : size;
  }

  /** @param {string} name @param {number} offset @param {Uint8Array} target @returns {number} status */
  read(name, offset, target) {
    for (const segment of this.segments.get(name) ?? []) {
      const at = offset - segment.offset;
      if (at >= 0 && at + target.length <= segment.bytes.length) {
        target.set(segment.bytes.subarray(at, at + target.length));
        return STATUS.OK;
      }
    }
    if (this.backing.readSync?.(name, offset, target)) return STATUS.OK;
    this.need = { name, offset, n: target.length };
    return STATUS.E_NEED_DATA;
  }

  // ---- between the calls

  /** Fetches what the last call missed. @param {AbortSignal} [signal] */
  async satisfy(signal) {
    const need = this.need;
    if (!need) throw fail(STATUS.E_INTERNAL, 'bytes were asked for, but not which');
    this.need = null;
    if (!('n' in need)) {
      this.sizes.set(need.name, await this.backing.size(need.name, signal));
      return;
    }
    const size = this.sizes.get(need.name) ?? (await this.backing.size(need.name, signal)) ?? 0;
    // Headers are read from end to end; what lies elsewhere (zeros of AWQ, orders of GPTQ) is all that is wanted there.
    const onwards = need.offset === 0 || this.segments.get(need.name)?.some((s) => need.offset >= s.offset && need.offset <= s.offset + s.bytes.length);
    const ahead = onwards ? (this.ahead.get(need.name) ?? READ_AHEAD) : 0;
    const n = Math.min(Math.max(need.n, ahead), size - need.offset);
    if (onwards) this.ahead.set(need.name, Math.min(2 * ahead, READ_AHEAD_MAX));
    this.put(need.name, need.offset, await this.backing.read(need.name, need.offset, n, signal));
  }

  /** Makes bytes available. @param {string} name @param {number} offset @param {Uint8Array} bytes */
  put(name, offset, bytes) {
    const list = this.segments.get(name) ?? [];
    list.push({ offset, bytes });
    this.segments.set(name, list);
  }

  /** Forgets everything but the sizes: metadata when the engine is open, weights when they are loaded. */
  clear() {
    this.segments.clear();
    this.ahead.clear();
  }
}

/**
 * Joins the pieces that loading will read into ranges of at most RANGE bytes, each within one file,
 * never across a gap of more than 64 KiB. Pieces are sorted by file and place.
 * @param {Range[]} pieces
 * @returns {(Range & { last: number })[]} `last`: index of the last piece in the range
 */
export function planRanges(pieces) {
  /** @type {(Range & { last: number })[]} */
  const ranges = [];
  pieces.forEach((piece, index) => {
    const range = ranges.at(-1);
    const end = range ? range.offset + range.size : 0;
    if (range && range.file === piece.file && piece.offset <= end + 65536 && piece.offset + piece.size - range.offset <= RANGE) {
      range.size = Math.max(range.size, piece.offset + piece.size - range.offset);
      range.last = index;
    } else {
      ranges.push({ ...piece, last: index });
    }
  });
  return ranges;
}
