// The two scripts that this page starts beside itself. Under require-trusted-types-for 'script' a
// policy vouches for them and for nothing else.

/** @typedef {'worker' | 'service' } Script */

const SCRIPTS = {
  worker: new URL('./worker.js', import.meta.url).href,
  service: new URL('./sw.js', import.meta.url).href,
};

/** @type {{ createScriptURL(name: string): unknown } | undefined} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy('quern-page', {
  createScriptURL: (/** @type {Script} */ name) => SCRIPTS[name],
});

/** @param {Script} name */
const url = (name) => /** @type {string} */ (policy ? policy.createScriptURL(name) : SCRIPTS[name]);

export function startEngineWorker() {
  return new Worker(url('worker'), { type: 'module', name: 'quern' });
}

/**
 * Keeps the page's own files, so that it opens without a network. The wide scope needs the header
 * Service-Worker-Allowed; without it the page's folder is enough for all but extra threads.
 */
export async function startServiceWorker() {
  if (!navigator.serviceWorker) return null;
  const options = /** @type {const} */ ({ updateViaCache: 'none' });
  try {
    return await navigator.serviceWorker.register(url('service'), { ...options, scope: new URL('../', import.meta.url).pathname });
  } catch {
    return navigator.serviceWorker.register(url('service'), options).catch(() => null);
  }
}
