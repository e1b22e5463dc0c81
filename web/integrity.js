// Subresource Integrity (W3C SRI) of a model's files.

const BYTES = /** @type {Record<string, number>} */ ({ sha256: 32, sha384: 48, sha512: 64 });

/** @param {string} sri "sha256-", "sha384-" or "sha512-" and the hash in base64 */
export function isValidSRI(sri) {
  const match = /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})$/.exec(sri);
  if (!match) return false;
  try {
    return match[2].length % 4 === 0 && atob(match[2]).length === BYTES[match[1]];
  } catch {
    return false;
  }
}

/**
 * @param {ArrayBuffer | Uint8Array} data @param {string} expected a valid SRI hash
 * @returns {Promise<string | null>} null when the bytes have that hash, else the hash that they have
 */
export async function mismatch(data, expected) {
  const [algorithm] = expected.split('-', 1);
  const digest = new Uint8Array(await crypto.subtle.digest(algorithm.replace('sha', 'SHA-'), /** @type {BufferSource} */ (data)));
  const actual = `${algorithm}-${btoa(String.fromCharCode(...digest))}`;
  return actual === expected ? null : actual;
}
