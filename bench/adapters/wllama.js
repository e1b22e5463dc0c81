// npm @wllama/wllama (llama.cpp compiled to WebAssembly) for bench/run.mjs and tests/js/wllama.test.mjs.
// Its interface takes a prompt as text and gives token ids with their log-probabilities.

/**
 * @param {{ model: string, context?: number, threads?: number, gpu?: boolean, exact?: boolean }} options model: URL of a .gguf
 *   file; exact: a float32 KV cache and plain attention instead of the package's defaults
 */
export async function load({ model, context = 256, threads = 1, gpu = false, exact = false }) {
  const { Wllama } = await import('/npm/@wllama/wllama/esm/index.js');
  const engine = new Wllama({ default: '/npm/@wllama/wllama/esm/wasm/wllama.wasm' }, { suppressNativeLog: true, logger: { debug() {}, log() {}, warn() {}, error: console.error } });
  const blob = await (await fetch(model)).blob();
  const begun = performance.now();
  await engine.loadModel([blob], { n_ctx: context, n_threads: threads, n_gpu_layers: gpu ? 99999 : 0, n_parallel: 1, ...(exact ? { cache_type_k: 'f32', cache_type_v: 'f32', flash_attn: false } : {}) });
  return {
    name: 'wllama',
    loadMs: performance.now() - begun,
    /** Tokens that end a text. */
    eog: [...engine.getLoadedContextInfo().list_tokens_eog],
    threads: engine.isMultithread() ? engine.getNumThreads() : 1,
    /** @param {{ prompt: string, maxTokens: number, logprobs?: number, onToken?: () => void }} request */
    async generate({ prompt, maxTokens, logprobs, onToken }) {
      const common = { prompt, max_tokens: maxTokens, temperature: 0, top_k: 1, ignore_eos: true, cache_prompt: false };
      if (!onToken) return engine.createCompletion({ ...common, logprobs });
      let usage;
      const stream = await engine.createCompletion({ ...common, stream: true, stream_options: { include_usage: true } });
      for await (const chunk of stream) {
        if (chunk.usage) usage = chunk.usage;
        if (chunk.choices?.length && !chunk.choices[0].finish_reason) onToken();
      }
      return { usage };
    },
    exit: () => engine.exit(),
  };
}
