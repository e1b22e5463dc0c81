// npm @huggingface/transformers (ONNX Runtime Web) for bench/run.mjs: token ids in, tokens out as they come, with the
// package's own generate(). The served folder /peers holds what npm installed for the bench alone.

/**
 * @param {{ model: string, threads?: number, gpu?: boolean }} options model: path of a folder under /files
 */
export async function load({ model, threads = 1, gpu = false }) {
  const { AutoModelForCausalLM, Tensor, env } = await import('/peers/@huggingface/transformers/dist/transformers.min.js');
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = '/files/';
  env.useBrowserCache = false;
  env.backends.onnx.wasm.wasmPaths = '/peers/onnxruntime-web/dist/';
  env.backends.onnx.wasm.numThreads = threads;
  const begun = performance.now();
  const engine = await AutoModelForCausalLM.from_pretrained(model, { dtype: 'q4', device: gpu ? 'webgpu' : 'wasm', local_files_only: true });
  return {
    name: 'transformers.js',
    loadMs: performance.now() - begun,
    threads,
    version: env.version,
    /** @param {{ ids: number[], maxTokens: number, onToken: (id: number) => void }} request */
    async generate({ ids, maxTokens, onToken }) {
      const tensor = (/** @type {bigint[]} */ data) => new Tensor('int64', BigInt64Array.from(data), [1, data.length]);
      let prompt = true; // the streamer is given the prompt first
      const streamer = {
        put: (/** @type {bigint[][]} */ value) => {
          if (!prompt) for (const id of value[0]) onToken(Number(id));
          prompt = false;
        },
        end: () => {},
      };
      await engine.generate({ input_ids: tensor(ids.map(BigInt)), attention_mask: tensor(ids.map(() => 1n)), do_sample: false, max_new_tokens: maxTokens, min_new_tokens: maxTokens, streamer });
      return { usage: { prompt_tokens: ids.length, completion_tokens: maxTokens } };
    },
    exit: () => engine.dispose(),
  };
}
