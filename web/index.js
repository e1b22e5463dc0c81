// Quern's published entry point: language models in this tab.
//
//   import { createEngine } from 'quern';
//   const engine = await createEngine({ model: 'qwen2.5-0.5b', onProgress: console.log });
//   const stream = await engine.chat.completions.create({ messages, stream: true });
//   for await (const chunk of stream) show(chunk.choices[0]?.delta.content ?? '');

export { createEngine, Engine } from './engine.js';
export { QuernError } from './errors.js';
export { catalog, findModel } from './catalog.js';
export { deleteModel, deviceReport, storedModel, storedModels } from './manage.js';
