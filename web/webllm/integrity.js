// web-llm's own way to check a file, and its names for it.

import { isValidSRI, mismatch } from '../integrity.js';
import { IntegrityError } from './errors.js';

export { isValidSRI };

/** @typedef {string} SRIString "sha256-", "sha384-" or "sha512-" and base64 */
/** @typedef {Record<string, SRIString>} FileIntegrityMap by file name */
/** @typedef {{ config?: SRIString, model_lib?: SRIString, tokenizer?: FileIntegrityMap, onFailure?: 'error' | 'warn' }} ModelIntegrity */

/**
 * @param {ArrayBuffer | Uint8Array} data @param {SRIString} expected @param {string} url for the message
 * @param {'error' | 'warn'} [onFailure]
 * @returns {Promise<void>} rejects with IntegrityError, or with Error when `expected` is no SRI hash
 */
export async function verifyIntegrity(data, expected, url, onFailure = 'error') {
  if (!isValidSRI(expected)) throw new Error(`Invalid SRI hash format: "${expected}" for ${url}; write sha256-, sha384- or sha512- and the hash in base64`);
  const actual = await mismatch(data, expected);
  if (!actual) return;
  if (onFailure === 'error') throw new IntegrityError(url, expected, actual);
  console.warn(`Integrity check failed for ${url}: expected ${expected}, got ${actual}`);
}
