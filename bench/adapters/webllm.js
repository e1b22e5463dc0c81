// npm @mlc-ai/web-llm for bench/run.mjs, through its text completions: prompt as text, pieces of text as they come. The
// served folder /peers holds what npm installed for the bench alone, /library the model library compiled by MLC.

/**
 * @param {{ model: string, library: string, context?: number }} options model: path of a served folder in MLC's layout; library: of its .wasm
 */
export async function load({ model, library, context = 1024 }) {
  const { CreateMLCEngine } = await import('/peers/@mlc-ai/web-llm/lib/index.js');
  const at = (/** @type {string} */ path) => new URL(path, location.href).href;
  const record = { model: at(model), model_id: 'peer', model_lib: at(library), overrides: { context_window_size: context } };
  const begun = performance.now();
  const engine = await CreateMLCEngine('peer', { appConfig: { useIndexedDBCache: false, model_list: [record] }, logLevel: 'ERROR' });
  return {
    name: 'web-llm',
    loadMs: performance.now() - begun,
    threads: 1,
    device: { description: await engine.getGPUVendor() },
    /** @param {{ prompt: string, maxTokens: number, onToken: () => void }} request */
    async generate({ prompt, maxTokens, onToken }) {
      await engine.resetChat(); // its prefix would not be reused anyway: prompts differ
      const stream = await engine.completions.create({ prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true, stream: true, stream_options: { include_usage: true } });
      let usage;
      let text = '';
      for await (const chunk of stream) {
        if (chunk.usage) usage = chunk.usage;
        if (!chunk.choices?.length || chunk.choices[0].finish_reason) continue;
        text += chunk.choices[0].text ?? '';
        onToken();
      }
      return { usage, text };
    },
    exit: () => engine.unload(),
  };
}
