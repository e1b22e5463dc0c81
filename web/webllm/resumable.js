// Generations that outlive their tab: a journal in OPFS of what was asked and what was told, one JSON line per
// piece, so that an answer can be taken up where it broke off. The noise of sampling is a function of seed,
// position and token, so the rest is what it would have been, as long as the text gives the same tokens again.

import { fail, STATUS } from '../errors.js';

/** @typedef {{ enabled: boolean, sessionId?: string, strictPersistence?: boolean, durabilityMode?: 'exact' | 'relaxed', checkpointIntervalTokens?: number,
 *   checkpointPrompt?: boolean, storeCheckpointLogits?: boolean }} ResumableGenerationConfig checkpoints are accepted and not made: computing a prompt again is cheap */
/** @typedef {{ sessionId: string, resumable: boolean, reason?: string, modelId: string, emittedTokens: number, processedSeqLen: number,
 *   recoveryMode: 'kv' | 'token_replay' | 'text_only' | 'none' }} ResumeProbeResult */
/** @typedef {{ sessionId: string, recoveredText: string, emittedTokens: number, processedSeqLen: number, replayedTokens: number,
 *   recoveryMode: 'kv' | 'token_replay' | 'text_only' }} ResumeResult */
/** @typedef {{ continueGeneration?: boolean, stream?: boolean }} ResumeChatCompletionOptions */

const FOLDER = 'quern-generations';
const RELAXED_MS = 250; // between writes in relaxed mode

/** @param {boolean} create */
async function folder(create) {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create });
}

const fileName = (/** @type {string} */ id) => `${encodeURIComponent(id)}.jsonl`;

/** @typedef {{ modelId: string, request: Record<string, any>, text: string, tokens: number, prompt: number, calls: boolean, finish: string | null }} Recorded */

/** @param {string} id @returns {Promise<Recorded | null>} what the whole lines of its journal say; null: there is none */
async function read(id) {
  let text;
  try {
    text = await (await (await (await folder(false)).getFileHandle(fileName(id))).getFile()).text();
  } catch {
    return null;
  }
  /** @type {Recorded | null} */
  let state = null;
  for (const line of text.split('\n')) {
    let record;
    try {
      record = JSON.parse(line);
    } catch {
      continue; // the tab died while it was written
    }
    if (record.begin) state = { ...record.begin, text: '', tokens: 0, prompt: 0, calls: false, finish: null };
    else if (state && record.finish !== undefined) state.finish = record.finish;
    else if (state) Object.assign(state, { text: state.text + record.text, tokens: record.tokens, prompt: record.prompt, calls: state.calls || Boolean(record.calls) });
  }
  return state;
}

/** One generation's journal. */
export class Journal {
  /** @type {string[]} lines not written yet */
  #waiting = [];
  #written = 0; // when, in milliseconds
  #size = 0; // bytes in the file
  #broken = false;
  #config;
  sessionId;

  /** @param {ResumableGenerationConfig} config @param {string} [sessionId] of a journal that goes on */
  constructor(config, sessionId) {
    this.#config = config;
    this.sessionId = sessionId ?? config.sessionId ?? crypto.randomUUID();
  }

  /** @param {string} modelId @param {Record<string, any>} request */
  async begin(modelId, request) {
    if (await read(this.sessionId)) throw fail(STATUS.E_STATE, `there is a generation "${this.sessionId}" already; delete it or name another`);
    await this.#put({ begin: { modelId, request } }, true);
  }

  /** Goes on after what is there. */
  async resume() {
    const file = await (await (await folder(true)).getFileHandle(fileName(this.sessionId))).getFile();
    const text = await file.text();
    this.#size = new TextEncoder().encode(text.slice(0, text.lastIndexOf('\n') + 1)).length; // not a torn line
  }

  /** What is about to be told. @param {{ text: string, tokens: number, prompt: number, calls: boolean }} piece */
  tell(piece) {
    return this.#put(piece, this.#config.durabilityMode !== 'relaxed');
  }

  /** @param {string | null} reason */
  end(reason) {
    return this.#put({ finish: reason }, true);
  }

  /** @param {unknown} record @param {boolean} now */
  async #put(record, now) {
    if (this.#broken) return;
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    if (!now && performance.now() - this.#written < RELAXED_MS) return;
    const bytes = new TextEncoder().encode(this.#waiting.join(''));
    this.#waiting = [];
    try {
      const handle = await (await folder(true)).getFileHandle(fileName(this.sessionId), { create: true });
      const writable = await handle.createWritable({ keepExistingData: true });
      await writable.write({ type: 'write', position: this.#size, data: bytes });
      await writable.truncate(this.#size + bytes.length);
      await writable.close();
      this.#size += bytes.length;
      this.#written = performance.now();
    } catch (error) {
      this.#broken = true;
      if (this.#config.strictPersistence) throw fail(STATUS.E_STORAGE, `the journal of generation "${this.sessionId}"`, error);
    }
  }
}

/** @param {string} sessionId @param {Recorded} state @returns {ResumeProbeResult} */
function probe(sessionId, state) {
  const reason = state.finish && state.finish !== 'abort' ? 'the generation is finished' : state.calls ? 'a tool call was begun' : undefined;
  return { sessionId, resumable: reason === undefined, reason, modelId: state.modelId, emittedTokens: state.tokens, processedSeqLen: state.prompt + state.tokens, recoveryMode: reason ? 'text_only' : 'token_replay' };
}

/** @returns {Promise<ResumeProbeResult[]>} */
export async function listSessions() {
  const found = [];
  try {
    for await (const name of /** @type {any} */ (await folder(false)).keys()) {
      const id = decodeURIComponent(name.replace(/\.jsonl$/, ''));
      const state = await read(id);
      if (state) found.push(probe(id, state));
    }
  } catch {
    // No folder: nothing was begun.
  }
  return found;
}

/** @param {string} id */
export async function deleteSession(id) {
  await folder(false).then((f) => f.removeEntry(fileName(id))).catch(() => {});
}

/**
 * What is kept of a generation, and the request that goes on with it.
 * @param {string} id
 * @returns {Promise<{ state: Recorded, found: ResumeProbeResult, result: ResumeResult, request: Record<string, any> }>}
 */
export async function openSession(id) {
  const state = await read(id);
  if (!state) throw fail(STATUS.E_NOT_FOUND, `no generation "${id}"`);
  const found = probe(id, state);
  const { request } = state;
  const rest = request.max_tokens === undefined || request.max_tokens === null ? {} : { max_tokens: request.max_tokens - state.tokens };
  const going = state.text ? { messages: [...request.messages, { role: 'assistant', content: state.text }], continue_final_message: true } : {};
  const mode = found.resumable ? /** @type {const} */ ('token_replay') : /** @type {const} */ ('text_only');
  return {
    state,
    found,
    result: { sessionId: id, recoveredText: state.text, emittedTokens: state.tokens, processedSeqLen: found.processedSeqLen, replayedTokens: found.resumable ? state.tokens : 0, recoveryMode: mode },
    request: { ...request, ...rest, ...going },
  };
}
