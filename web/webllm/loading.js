// What loading needs to know of an application's options, and what it says of its progress.

import * as errors from './errors.js';

/** No worker can be started where there is none; and one that serves a worker is that worker. */
export const ownThread = () => typeof Worker === 'undefined' || 'WorkerGlobalScope' in globalThis;

/**
 * web-llm's sliding window is a cache of so many tokens that slides, its first ones staying.
 * @param {import('./config.js').ChatOptions} options
 * @returns {{ context?: number, overflow?: 'slide', attentionSinks?: number }} of createEngine; no context: the model's own
 */
export function windowOf({ context_window_size: context, sliding_window_size: sliding, attention_sink_size: sink }) {
  if (context !== undefined && sliding !== undefined && context > 0 && sliding > 0) throw new errors.WindowSizeConfigurationError(context, sliding);
  if (sliding !== undefined && sliding > 0 && (sink ?? 0) < 0) throw new errors.AttentionSinkSizeError();
  if (sliding !== undefined && sliding > 0) return { context: sliding, overflow: 'slide', attentionSinks: sink };
  if (context !== undefined && sliding !== undefined && context <= 0) throw new errors.WindowSizeSpecificationError();
  return { context: context !== undefined && context > 0 ? context : undefined };
}

/** @param {import('../engine.js').LoadProgress} p */
export function progressText({ phase, loaded, total, cached }) {
  const mb = (/** @type {number} */ n) => `${Math.round(n / 1e6)}MB`;
  const percent = total ? Math.floor((100 * loaded) / total) : 0;
  if (phase === 'download') return `Fetching param cache: ${mb(loaded)} of ${mb(total)} fetched. ${percent}% completed.`;
  if (phase === 'verify' || phase === 'upload') return `Loading model from ${cached ? 'cache' : 'network'}: ${mb(loaded)} of ${mb(total)} loaded. ${percent}% completed.`;
  if (phase === 'compile') return 'Loading GPU shader modules';
  return phase === 'ready' ? 'Model ready' : 'Reading the model\'s configuration';
}
