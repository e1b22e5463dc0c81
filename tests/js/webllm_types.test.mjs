// The types of web-llm's applications: a program that names all that web-llm 0.2.86 exports is compiled against quern/webllm,
// as its sources declare them and as the package does, for resolvers that read "exports" and for those that do not.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

/** Exports of web-llm's package root that are types alone. */
const TYPES = `ModelRecord AppConfig OPFSAccessMode ChatOptions MLCEngineConfig GenerationConfig ModelIntegrity SRIString FileIntegrityMap InitProgressCallback
  InitProgressReport MLCEngineInterface LogitProcessor LogLevel ResumableGenerationConfig ResumeChatCompletionOptions ResumeProbeResult ResumeResult WorkerRequest
  WorkerResponse CustomRequestParams ChatCompletionRequestBase ChatCompletionRequestNonStreaming ChatCompletionRequestStreaming ChatCompletionRequest ChatCompletion
  ChatCompletionChunk ChatCompletionContentPart ChatCompletionContentPartText ChatCompletionContentPartImage ChatCompletionContentPartInputAudio
  ChatCompletionAudioInput ChatCompletionAudioInputWav ChatCompletionAudioInputPCM ChatCompletionMessageToolCall ChatCompletionRole ChatCompletionSystemMessageParam
  ChatCompletionUserMessageParam ChatCompletionAssistantMessageParam ChatCompletionToolMessageParam ChatCompletionMessageParam FunctionParameters FunctionDefinition
  ChatCompletionTool ChatCompletionNamedToolChoice ChatCompletionToolChoiceOption TopLogprob ChatCompletionTokenLogprob ChatCompletionMessage CompletionUsage
  ResponseFormat ChatCompletionFinishReason CompletionCreateParamsNonStreaming CompletionCreateParamsStreaming CompletionCreateParamsBase CompletionCreateParams
  Completion CompletionChoice Embedding EmbeddingCreateParams CreateEmbeddingResponse`.split(/\s+/);

const APP = `import * as webllm from '../web/webllm/index.js';
${TYPES.map((name) => `export type My${name} = webllm.${name};`).join('\n')}
export async function run(worker: Worker, engine?: webllm.MLCEngineInterface) {
  const initProgressCallback: webllm.InitProgressCallback = (report) => console.log(report.progress * 1, report.text.length);
  const appConfig: webllm.AppConfig = { ...webllm.prebuiltAppConfig, model_list: [{ model: 'u', model_id: 'm', model_lib: 'l', overrides: { context_window_size: 4096 } }] };
  const logitProcessorRegistry = new Map<string, webllm.LogitProcessor>();
  engine = Math.random() < 0.5 ? await webllm.CreateMLCEngine('m', { initProgressCallback, appConfig, logitProcessorRegistry, logLevel: 'INFO' }, { temperature: 1 }) : await webllm.CreateWebWorkerMLCEngine(worker, ['m']);
  const messages: webllm.ChatCompletionMessageParam[] = [{ role: 'system', content: 's' }, { role: 'user', content: 'u' }];
  const reply = await engine.chat.completions.create({ messages, n: 2, logprobs: true, response_format: { type: 'json_object', schema: '{}' } as webllm.ResponseFormat });
  const text: string = reply.choices[0].message.content ?? '';
  const decode: number | undefined = reply.usage?.extra.decode_tokens_per_s;
  const request: webllm.ChatCompletionRequestStreaming = { messages, stream: true, stream_options: { include_usage: true }, extra_body: { enable_thinking: false } };
  for await (const chunk of await engine.chat.completions.create(request)) console.log(chunk.choices[0]?.delta.content?.length, chunk.usage?.extra);
  for await (const chunk of await engine.completions.create({ prompt: text, stream: true })) console.log(chunk.choices[0].text.length);
  const vector: number[] = (await engine.embeddings.create({ input: ['a'] })).data[0].embedding;
  await engine.interruptGenerate();
  const lib: string = webllm.prebuiltAppConfig.model_list[0].model_lib;
  return [decode, vector, lib, webllm.functionCallingModelIds.length, webllm.ModelType.embedding];
}
`;

/** @param {string} source */
function compile(source) {
  const folder = mkdtempSync('.types-');
  try {
    writeFileSync(join(folder, 'app.ts'), source);
    const options = ['--strict', '--noEmit', '--allowJs', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--types', '@webgpu/types', '--lib', 'es2023,dom,dom.iterable,webworker', '--ignoreConfig'];
    return spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...options, join(folder, 'app.ts')], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('an application of web-llm in TypeScript compiles', () => {
  const { status, stdout } = compile(APP);
  assert.equal(stdout, '');
  assert.equal(status, 0);
});

test('what is wrong in it is found', () => {
  const { stdout } = compile(APP.replace("role: 'user'", "role: 'nobody'").replace('report.progress * 1', 'report.nothing'));
  assert.match(stdout, /nobody/);
  assert.match(stdout, /nothing/);
});

test('an application compiles against the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'quern-types-'));
  try {
    const library = join(folder, 'node_modules', 'quern');
    const tsc = (/** @type {string[]} */ ...args) => spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...args], { encoding: 'utf8' }).stdout;
    mkdirSync(library, { recursive: true });
    cpSync('package.json', join(library, 'package.json'));
    assert.equal(spawnSync(process.execPath, ['tools/dist.mjs', '--complete', library]).status, 0);
    writeFileSync(join(folder, 'app.ts'), `import { createEngine } from 'quern';\nimport { createFetch } from 'quern/openai';\nimport 'quern/worker';
      export const asked: typeof fetch = createFetch(await createEngine({ model: 'grist' }));\n${APP.replace('../web/webllm/index.js', 'quern/webllm')}`);
    const options = { target: 'es2022', strict: true, noEmit: true, types: [], lib: ['es2022', 'dom', 'dom.iterable'] };
    // The folders stand in for "exports": without it the same program compiles.
    for (const how of [{ module: 'nodenext' }, { module: 'esnext', moduleResolution: 'bundler' }, { module: 'esnext', moduleResolution: 'bundler', resolvePackageJsonExports: false }]) {
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, ...how }, include: ['app.ts'] }));
      assert.equal(tsc('-p', folder), '', JSON.stringify(how));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
