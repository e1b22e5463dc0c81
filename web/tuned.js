// What an earlier start measured on a device (src/webgpu/tune.c): a few numbers in the Cache API, by the adapter and what is
// used of it. They say themselves which kernels they hold for. Losing them costs a third of a second.

const CACHE = 'quern-tuned';

/** @typedef {import('./gpu/device.js').OpenDevice} OpenDevice */
/** @typedef {import('./gpu/device.js').Choice} Choice */

/** A URL of this origin that no server answers. @param {OpenDevice} gpu */
const key = ({ info, caps }) => new URL(`/.quern/${encodeURIComponent(JSON.stringify([info, caps.features]))}`, location.href).href;

/** @param {OpenDevice} gpu @returns {Promise<Partial<Choice>>} empty: not known */
export async function recallChoice(gpu) {
  try {
    const response = await (await caches.open(CACHE)).match(key(gpu));
    const { measured, kernels, fill, tile, without } = await response?.json();
    return { measured, kernels, fill, tile, without };
  } catch {
    return {}; // no such storage here, or another version's
  }
}

/** @param {OpenDevice} gpu @param {Choice} choice */
export async function rememberChoice(gpu, choice) {
  try {
    await (await caches.open(CACHE)).put(key(gpu), new Response(JSON.stringify(choice)));
  } catch {
    // It is measured again.
  }
}
