// The types of web-llm's applications: a program that names all that web-llm 0.2.86 exports is compiled against quern/webllm.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  return [decode, vector, webllm.functionCallingModelIds.length, webllm.ModelType.embedding];
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
