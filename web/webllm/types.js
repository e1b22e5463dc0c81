// What requests and answers of web-llm's interface are made of, for TypeScript and for editors. Nothing here runs.

/** @typedef {{ type: 'text', text: string }} ChatCompletionContentPartText */
/** @typedef {{ type: 'image_url', image_url: { url: string, detail?: 'auto' | 'low' | 'high' } }} ChatCompletionContentPartImage refused: there is no such model yet */
/** @typedef {{ data: string, format: 'wav' }} ChatCompletionAudioInputWav */
/** @typedef {{ data: Float32Array, format: 'pcm_f32', sample_rate: number }} ChatCompletionAudioInputPCM */
/** @typedef {ChatCompletionAudioInputWav | ChatCompletionAudioInputPCM} ChatCompletionAudioInput */
/** @typedef {{ type: 'input_audio', input_audio: ChatCompletionAudioInput }} ChatCompletionContentPartInputAudio refused, as images are */
/** @typedef {ChatCompletionContentPartText | ChatCompletionContentPartImage | ChatCompletionContentPartInputAudio} ChatCompletionContentPart */

/** @typedef {{ id: string, type: 'function', function: { name: string, arguments: string } }} ChatCompletionMessageToolCall */
/** @typedef {'system' | 'user' | 'assistant' | 'tool' | 'function'} ChatCompletionRole */
/** @typedef {{ role: 'system', content: string }} ChatCompletionSystemMessageParam */
/** @typedef {{ role: 'user', content: string | ChatCompletionContentPart[], name?: string }} ChatCompletionUserMessageParam */
/** @typedef {{ role: 'assistant', content?: string | null, name?: string, tool_calls?: ChatCompletionMessageToolCall[] }} ChatCompletionAssistantMessageParam */
/** @typedef {{ role: 'tool', content: string, tool_call_id: string }} ChatCompletionToolMessageParam */
/** @typedef {ChatCompletionSystemMessageParam | ChatCompletionUserMessageParam | ChatCompletionAssistantMessageParam | ChatCompletionToolMessageParam} ChatCompletionMessageParam */

/** @typedef {Record<string, unknown>} FunctionParameters JSON Schema */
/** @typedef {{ name: string, description?: string, parameters?: FunctionParameters }} FunctionDefinition */
/** @typedef {{ type: 'function', function: FunctionDefinition }} ChatCompletionTool */
/** @typedef {{ type: 'function', function: { name: string } }} ChatCompletionNamedToolChoice */
/** @typedef {'none' | 'auto' | 'required' | ChatCompletionNamedToolChoice} ChatCompletionToolChoiceOption */

/**
 * @typedef {object} ResponseFormat web-llm's, and OpenAI's json_schema
 * @property {'text' | 'json_object' | 'json_schema' | 'grammar' | 'structural_tag'} [type]
 * @property {string} [schema] of json_object: JSON Schema as JSON
 * @property {{ name?: string, schema: object, strict?: boolean | null }} [json_schema]
 * @property {string} [grammar]
 * @property {string | object} [structural_tag]
 */

/**
 * @typedef {object} GenerationConfig
 * @property {number | null} [n]
 * @property {number | null} [max_tokens]
 * @property {string | string[] | null} [stop]
 * @property {number | null} [temperature]
 * @property {number | null} [top_p]
 * @property {number | null} [frequency_penalty]
 * @property {number | null} [presence_penalty]
 * @property {number | null} [repetition_penalty]
 * @property {Record<string, number> | null} [logit_bias]
 * @property {boolean | null} [logprobs]
 * @property {number | null} [top_logprobs] 0 to 5
 * @property {ResponseFormat | null} [response_format]
 * @property {boolean} [ignore_eos]
 */
/**
 * @typedef {object} RequestFields
 * @property {string | null} [model] needed where several are loaded
 * @property {boolean | null} [stream]
 * @property {{ include_usage?: boolean } | null} [stream_options]
 * @property {number | null} [seed]
 */

/** @typedef {{ enable_thinking?: boolean | null, enable_latency_breakdown?: boolean | null, resumable?: import('./resumable.js').ResumableGenerationConfig | null } & Record<string, unknown>} ExtraBody */
/** @typedef {{ messages: ChatCompletionMessageParam[], tools?: ChatCompletionTool[], tool_choice?: ChatCompletionToolChoiceOption, extra_body?: ExtraBody }} ChatFields */
/** @typedef {Omit<GenerationConfig, 'response_format'> & { response_format?: ResponseFormat } & RequestFields & ChatFields} ChatCompletionRequestBase */
/** @typedef {ChatCompletionRequestBase & { stream?: false | null }} ChatCompletionRequestNonStreaming */
/** @typedef {ChatCompletionRequestBase & { stream: true }} ChatCompletionRequestStreaming */
/** @typedef {ChatCompletionRequestNonStreaming | ChatCompletionRequestStreaming} ChatCompletionRequest */

/** @typedef {{ prompt: string, echo?: boolean | null, extra_body?: ExtraBody }} CompletionFields */
/** @typedef {GenerationConfig & RequestFields & CompletionFields} CompletionCreateParamsBase */
/** @typedef {CompletionCreateParamsBase & { stream?: false | null }} CompletionCreateParamsNonStreaming */
/** @typedef {CompletionCreateParamsBase & { stream: true }} CompletionCreateParamsStreaming */
/** @typedef {CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming} CompletionCreateParams */

/** @typedef {{ token: string, bytes: number[] | null, logprob: number }} TopLogprob */
/** @typedef {TopLogprob & { top_logprobs: TopLogprob[] }} ChatCompletionTokenLogprob */
/** @typedef {{ content: ChatCompletionTokenLogprob[] | null }} Logprobs */
/** @typedef {'stop' | 'length' | 'tool_calls' | 'abort'} ChatCompletionFinishReason */
/** @typedef {{ role: 'assistant', content: string | null, reasoning_content?: string, tool_calls?: ChatCompletionMessageToolCall[] }} ChatCompletionMessage */
/** @typedef {{ logitProcessorTime: number[], logitBiasTime: number[], penaltyTime: number[], sampleTime: number[], totalTime: number[], grammarBitmaskTime: number[] }} LatencyBreakdown */
/**
 * @typedef {object} UsageExtra seconds, and tokens per second
 * @property {number} e2e_latency_s
 * @property {number} prefill_tokens_per_s
 * @property {number} decode_tokens_per_s
 * @property {number} time_to_first_token_s
 * @property {number} time_per_output_token_s
 * @property {number} [grammar_init_s]
 * @property {number} [grammar_per_token_s]
 * @property {LatencyBreakdown} [latencyBreakdown]
 */
/** @typedef {{ prompt_tokens: number, completion_tokens: number, total_tokens: number, extra: UsageExtra }} CompletionUsage */
/** @typedef {{ id: string, created: number, model: string, usage?: CompletionUsage, system_fingerprint?: string }} Head */

/** @typedef {{ index: number, message: ChatCompletionMessage, logprobs: Logprobs | null, finish_reason: ChatCompletionFinishReason }} ChatCompletionChoice */
/** @typedef {Head & { object: 'chat.completion', choices: ChatCompletionChoice[] }} ChatCompletion */
/** @typedef {{ index: number, id?: string, type?: 'function', function?: { name?: string, arguments?: string } }} ChatCompletionDeltaToolCall */
/** @typedef {{ role?: 'system' | 'user' | 'assistant' | 'tool', content?: string | null, reasoning_content?: string, tool_calls?: ChatCompletionDeltaToolCall[] }} ChatCompletionDelta */
/** @typedef {{ index: number, delta: ChatCompletionDelta, logprobs?: Logprobs | null, finish_reason: ChatCompletionFinishReason | null }} ChatCompletionChunkChoice */
/** @typedef {Head & { object: 'chat.completion.chunk', choices: ChatCompletionChunkChoice[] }} ChatCompletionChunk */
/** @typedef {{ index: number, text: string, logprobs: Logprobs | null, finish_reason: ChatCompletionFinishReason | null }} CompletionChoice */
/** @typedef {Head & { object: 'text_completion', choices: CompletionChoice[] }} Completion */

/** @typedef {{ input: string | string[] | number[] | number[][], model?: string | null, encoding_format?: 'float' | 'base64' }} EmbeddingCreateParams */
/** @typedef {{ object: 'embedding', index: number, embedding: number[] }} Embedding */
/** @typedef {{ object: 'list', model: string, data: Embedding[], usage: { prompt_tokens: number, total_tokens: number, extra: { prefill_tokens_per_s: number } } }} CreateEmbeddingResponse */

/** What applications hold: any of the engines. @typedef {import('./engine.js').MLCEngine | import('./remote.js').WebWorkerMLCEngine} AnyEngine */
/** @typedef {Pick<AnyEngine, keyof AnyEngine>} MLCEngineInterface */

export {};
