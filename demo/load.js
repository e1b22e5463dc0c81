// Loading, as people see it: the phase, bytes, rate and time left, a way to cancel.

import { createEngine } from '../web/index.js';
import { announce, byId } from './dom.js';
import * as format from './format.js';
import { startEngineWorker } from './scripts.js';
import { settings } from './settings.js';

const WINDOW_MS = 4000; // of the moving average
const NAMES = { open: 'Opening', download: 'Downloading', verify: 'Verifying', upload: 'Uploading', compile: 'Compiling', ready: 'Keeping the page for offline use' };

/** @type {AbortController | null} */
let controller = null;

const bar = /** @type {HTMLProgressElement} */ (byId('progress'));

class Progress {
  /** @type {[number, number][]} times and bytes of the phase */
  #seen = [];
  #phase = '';

  /** @param {import('../web/engine.js').LoadProgress} progress */
  show({ phase, loaded, total }) {
    if (phase !== this.#phase) this.#begin(phase);
    const counted = total > 1 && (phase === 'download' || phase === 'upload' || phase === 'verify');
    if (!counted) {
      bar.removeAttribute('value');
      byId('progress-text').textContent = phase === 'compile' ? 'Compiling programs for this device' : `${NAMES[phase]}…`;
      return;
    }
    bar.max = total;
    bar.value = Math.min(loaded, total);
    const parts = [`${NAMES[phase]}`, `${format.bytes(Math.min(loaded, total))} of ${format.bytes(total)}`];
    const rate = this.#rate(loaded);
    if (rate > 0 && loaded < total) parts.push(`${format.bytes(Math.round(rate))}/s`, `${format.duration((total - loaded) / rate)} left`);
    byId('progress-text').textContent = parts.join(' · ');
  }

  /** @param {number} loaded @returns {number} bytes per second; 0 while not known */
  #rate(loaded) {
    const now = performance.now();
    this.#seen.push([now, loaded]);
    while (this.#seen.length > 2 && now - this.#seen[0][0] > WINDOW_MS) this.#seen.shift();
    const [then, before] = this.#seen[0];
    return now - then > 300 ? (1000 * (loaded - before)) / (now - then) : 0;
  }

  /** @param {import('../web/engine.js').LoadProgress['phase']} phase */
  #begin(phase) {
    this.#phase = phase;
    this.#seen = [];
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (byId('phases').querySelectorAll('li'))) {
      // What was skipped (nothing to download, say) is not ticked off.
      const was = phase !== 'open' && (item.className === 'current' || item.className === 'done');
      item.className = item.dataset.phase === phase ? 'current' : was ? 'done' : '';
    }
    announce(NAMES[phase]);
  }
}

/**
 * @param {string | File[]} model
 * @param {string} name for people
 * @param {'auto' | 'webgpu' | 'cpu' | undefined} backend
 * @param {(engine: import('../web/index.js').Engine) => Promise<void>} settle what belongs to loading after the engine is ready
 * @returns {Promise<import('../web/index.js').Engine>}
 */
export async function loadEngine(model, name, backend = settings.backend, settle) {
  controller?.abort();
  const own = (controller = new AbortController());
  const progress = new Progress();
  byId('loading-title').textContent = `Loading ${name}`;
  progress.show({ phase: 'open', loaded: 0, total: 0, cached: false });
  byId('loading').hidden = false;
  byId('loading-title').focus();
  try {
    const engine = await createEngine({
      model,
      backend,
      context: settings.numbers.context,
      worker: startEngineWorker(),
      signal: own.signal,
      onProgress: (p) => own === controller && progress.show(p),
    });
    await settle(engine);
    if (!own.signal.aborted) return engine;
    engine.dispose();
    throw new DOMException('the load was cancelled', 'AbortError');
  } finally {
    if (own === controller) {
      byId('loading').hidden = true;
      controller = null;
    }
  }
}

export const cancelLoading = () => controller?.abort();
