// A model's files with fields of its configuration replaced, and small files checked against hashes
// that the application knows: what it overrides reaches the engine as if the author had written it.

import { fail, STATUS } from './errors.js';
import { isValidSRI, mismatch } from './integrity.js';

/** @typedef {import('./files.js').Backing} Backing */

/**
 * @typedef {object} Integrity
 * @property {Record<string, string | undefined>} files SRI hashes of small files, by name
 * @property {boolean} [warn] a file that does not match is told of on the console, and used
 */

/** Files that hold a model's configuration; of those that exist, each gets the fields. */
const CONFIGS = ['mlc-chat-config.json', 'config.json'];
/** Where templates are looked for before `conv_template`. */
const TEMPLATES = ['chat_template.jinja', 'tokenizer_config.json'];

/** @param {any} base @param {any} over @returns {any} `over` wins; objects are merged, all else is replaced */
function merge(base, over) {
  if (over === undefined) return base;
  const isObject = (/** @type {unknown} */ x) => typeof x === 'object' && x !== null && !Array.isArray(x);
  if (!isObject(base) || !isObject(over)) return over;
  const out = { ...base };
  for (const [key, value] of Object.entries(over)) Object.defineProperty(out, key, { value: merge(Object.hasOwn(base, key) ? base[key] : undefined, value), enumerable: true, configurable: true, writable: true });
  return out;
}

/** @implements {Backing} */
export class OverlaidFiles {
  /** @type {Map<string, Promise<Uint8Array | null>>} */
  #made = new Map();
  #inner;
  #fields;

  #integrity;

  /** @param {Backing} inner @param {Record<string, unknown>} fields @param {Integrity} [integrity] */
  constructor(inner, fields, integrity) {
    this.#inner = inner;
    this.#fields = fields;
    this.#integrity = integrity;
    for (const [name, sri] of Object.entries(integrity?.files ?? {})) {
      if (sri !== undefined && !isValidSRI(sri)) throw fail(STATUS.E_ARGUMENT, `Invalid SRI hash format: "${sri}" for ${name}`);
    }
    // What can be answered at once for plain files would be wrong for these.
    this.readSync = inner.readSync && ((/** @type {string} */ name, /** @type {number} */ offset, /** @type {Uint8Array} */ target) => !this.#mine(name) && /** @type {NonNullable<Backing['readSync']>} */ (inner.readSync)(name, offset, target));
  }

  /** @param {string} name */
  #mine(name) {
    return CONFIGS.includes(name) || this.#integrity?.files[name] !== undefined || ('conv_template' in this.#fields && TEMPLATES.includes(name));
  }

  /** @param {string} name @param {AbortSignal} [signal] @returns {Promise<Uint8Array | null>} */
  #bytes(name, signal) {
    let made = this.#made.get(name);
    if (!made) {
      made = this.#make(name, signal);
      made.catch(() => this.#made.delete(name));
      this.#made.set(name, made);
    }
    return made;
  }

  /** @param {string} name @param {AbortSignal} [signal] */
  async #make(name, signal) {
    const size = await this.#inner.size(name, signal);
    if (size === null) return null;
    const bytes = await this.#inner.read(name, 0, size, signal);
    await this.#check(name, bytes);
    if (!CONFIGS.includes(name) && !('conv_template' in this.#fields && TEMPLATES.includes(name))) return bytes;
    let own;
    try {
      own = JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return bytes; // the engine says what is wrong with it
    }
    if (!CONFIGS.includes(name)) delete own.chat_template;
    return new TextEncoder().encode(JSON.stringify(CONFIGS.includes(name) ? merge(own, this.#fields) : own));
  }

  /** @param {string} name @param {Uint8Array} bytes */
  async #check(name, bytes) {
    const expected = this.#integrity?.files[name];
    const actual = expected && (await mismatch(bytes, expected));
    if (!actual) return;
    const text = `${name}: expected ${expected}, got ${actual}`;
    if (!this.#integrity?.warn) throw fail(STATUS.E_INTEGRITY, text);
    console.warn(`Integrity check failed for ${text}`);
  }

  /** @param {string} name */
  sizeSync(name) {
    return this.#mine(name) ? undefined : this.#inner.sizeSync?.(name);
  }

  /** @param {string} name @param {AbortSignal} [signal] */
  async size(name, signal) {
    if (!this.#mine(name)) return this.#inner.size(name, signal);
    if (name.endsWith('.jinja') && 'conv_template' in this.#fields) return null;
    return (await this.#bytes(name, signal))?.length ?? null;
  }

  /** @param {string} name @param {number} offset @param {number} n @param {AbortSignal} [signal] */
  async read(name, offset, n, signal) {
    if (!this.#mine(name)) return this.#inner.read(name, offset, n, signal);
    const bytes = /** @type {Uint8Array} */ (await this.#bytes(name, signal));
    return bytes.slice(offset, offset + n);
  }
}
