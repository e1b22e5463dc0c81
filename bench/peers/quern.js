// Adapter for a harness that measures in-browser engines in one page (interface: the object returned below).
// opts: { modelUrl: an MLC folder or a .gguf file, or synthetic: "qwen2.5-0.5b:q4f16_1" (nothing is
// downloaded), context, kv: 'f16' | 'f32', features: at most these of the GPU, backend: 'webgpu' | 'cpu' }.
// It runs on the page's own thread, so that the harness sees the WebGPU calls.

import { load } from '../adapters/quern.js';

export default async function make(opts) {
  /** @type {Awaited<ReturnType<typeof load>> | null} */
  let engine = null;
  let session = 0;
  // A synthetic model has no tokenizer: each letter is a token.
  const ids = (/** @type {string} */ prompt) => (opts.synthetic ? [...prompt].map((c) => c.charCodeAt(0)) : engine.tokenize(prompt));
  return {
    name: 'quern',
    version: opts.version ?? '0.1.0',
    async load({ onProgress }) {
      onProgress('loading');
      engine = await load({
        model: opts.modelUrl,
        synthetic: opts.synthetic,
        backend: opts.backend ?? 'webgpu',
        features: opts.features,
        context: opts.context ?? 4096,
        kv: opts.kv ?? 'f16',
      });
      session = engine.core.createSession();
      return { device: engine.device, variant: engine.variant, memory: engine.core.info().memory };
    },
    /** Forgets the KV cache. */
    async reset() {
      engine.core.destroySession(session);
      session = engine.core.createSession();
    },
    async generate({ prompt, maxTokens, temperature, topP, seed, onToken }) {
      let text = '';
      let done;
      engine.core.start(session, ids(prompt), { maxTokens, temperature, topP, seed });
      for await (const event of engine.runner.events(session)) {
        if (event.kind === 'token') onToken(1);
        if (event.kind === 'token' && text.length < 120) text += event.text || (opts.synthetic ? `${event.id} ` : '');
        if (event.kind === 'done') done = event;
      }
      return { promptTokens: done.promptTokens, completionTokens: done.completionTokens, usage: { reused: done.reusedTokens }, note: done.finish, text };
    },
    memory: () => ({ wasmBytes: engine.memory() }),
    async unload() {
      engine.exit();
      engine = null;
    },
  };
}
