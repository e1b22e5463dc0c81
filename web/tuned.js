// What an earlier start measured on a device (src/webgpu/tune.c): a number in the Cache API, by the adapter and what is used
// of it. Losing it costs a tenth of a second.

const CACHE = 'quern-tuned';
const KERNELS = 1; // counts changes of the kernels that make numbers void

/** @typedef {import('./gpu/device.js').OpenDevice} OpenDevice */

/** A URL of this origin that no server answers. @param {OpenDevice} gpu */
const key = ({ info, caps }) => new URL(`/.quern/${encodeURIComponent(JSON.stringify([KERNELS, info, caps.features]))}`, location.href).href;

/** @param {OpenDevice} gpu @returns {Promise<number>} 0: not known */
export async function recallFill(gpu) {
  try {
    const response = await (await caches.open(CACHE)).match(key(gpu));
    return response ? Number(await response.text()) >>> 0 : 0;
  } catch {
    return 0; // no such storage here
  }
}

/** @param {OpenDevice} gpu @param {number} fill */
export async function rememberFill(gpu, fill) {
  try {
    await (await caches.open(CACHE)).put(key(gpu), new Response(String(fill)));
  } catch {
    // It is measured again.
  }
}
