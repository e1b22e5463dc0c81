// What this browser keeps and what this device can do: for model pickers and settings pages.

import { chooseGpu } from './backend.js';
import { resolveModel } from './sources.js';
import { BLOCK, CACHE_PREFIX, opfsRoot, openStore, storeKey } from './store.js';

/**
 * Bytes of a model that are kept in this browser.
 * @param {string} model as for createEngine
 * @returns {Promise<{ bytes: number, files: number, complete: boolean, store: 'opfs' | 'cache' | 'memory' }>} complete: it was
 *   loaded whole from what is kept
 */
export async function storedModel(model) {
  const { base } = resolveModel(model);
  for (const kind of /** @type {const} */ (['opfs', 'cache'])) {
    try {
      const store = await openStore(base, kind, false);
      const meta = JSON.parse((await store.readMeta()) ?? 'null');
      if (!meta) continue;
      let bytes = 0;
      const files = Object.values(/** @type {import('./store.js').Meta['files']} */ (meta.files)).filter((f) => f.size !== null);
      for (const f of files) bytes += Math.min(Object.keys(f.blocks).length * BLOCK, f.size ?? 0);
      return { bytes, files: files.length, complete: meta.whole === true, store: kind };
    } catch {
      // Nothing of it there.
    }
  }
  return { bytes: 0, files: 0, complete: false, store: 'memory' };
}

/** @param {string[]} models @returns {Promise<Record<string, number>>} bytes kept, by model */
export async function storedModels(models) {
  const entries = await Promise.all(models.map(async (m) => [m, (await storedModel(m)).bytes]));
  return Object.fromEntries(entries);
}

/** Deletes what is kept of a model. @param {string} model as for createEngine */
export async function deleteModel(model) {
  const key = await storeKey(resolveModel(model).base);
  await Promise.allSettled([opfsRoot().then((root) => root.removeEntry(key, { recursive: true })), caches.delete(CACHE_PREFIX + key)]);
}

/**
 * What runs here, and how much may be kept.
 * @returns {Promise<{ webgpu: boolean, reason?: string, device: Record<string, unknown>, maxBuffer: number, maxBinding: number, quota: number, usage: number, memory: number }>}
 *   sizes in bytes; 0: not known
 */
export async function deviceReport() {
  /** @type {StorageEstimate} */
  const { quota = 0, usage = 0 } = (await navigator.storage?.estimate().catch(() => null)) ?? {};
  const memory = ((/** @type {{ deviceMemory?: number }} */ (navigator)).deviceMemory ?? 0) * 2 ** 30;
  const { gpu, reason } = await chooseGpu('auto');
  gpu?.device.destroy();
  return { webgpu: gpu !== null, reason, device: gpu?.info ?? {}, maxBuffer: gpu?.caps.maxBuffer ?? 0, maxBinding: gpu?.caps.maxBinding ?? 0, quota, usage, memory };
}
