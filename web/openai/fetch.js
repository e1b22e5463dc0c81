// OpenAI's HTTP interface without HTTP: a function of fetch's shape that an engine answers.
//
//   const openai = new OpenAI({ apiKey: '-', fetch: createFetch(engine), dangerouslyAllowBrowser: true });

import { fail, QuernError, STATUS } from '../errors.js';
import { Responses } from './responses.js';

/** @typedef {import('../engine.js').Engine} Engine */
/** @typedef {{ engine: Engine, responses: Responses }} Served */
/** @typedef {{ served: Served, body: any, signal: AbortSignal, id: string }} Asked */

const JSON_HEADERS = { 'content-type': 'application/json' };
const SSE_HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

/** HTTP status, OpenAI's type and code, by status of the engine; the rest is 500. */
const HTTP = /** @type {Record<number, [number, string, string | null]>} */ ({
  [STATUS.E_ARGUMENT]: [400, 'invalid_request_error', null],
  [STATUS.E_JSON]: [400, 'invalid_request_error', null],
  [STATUS.E_UTF8]: [400, 'invalid_request_error', null],
  [STATUS.E_UNSUPPORTED]: [400, 'invalid_request_error', 'unsupported_parameter'],
  [STATUS.E_TEMPLATE]: [400, 'invalid_request_error', null],
  [STATUS.E_LIMIT]: [400, 'invalid_request_error', null],
  [STATUS.E_CONTEXT]: [400, 'invalid_request_error', 'context_length_exceeded'],
  [STATUS.E_NOT_FOUND]: [404, 'invalid_request_error', null],
  [STATUS.E_STATE]: [409, 'conflict_error', null],
  [STATUS.E_NO_MEMORY]: [503, 'server_error', null],
  [STATUS.E_GPU_LOST]: [503, 'server_error', null],
});

/** Part of a path; what is no UTF-8 names nothing. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {unknown} error */
function errorBody(error) {
  // Values nested too deep to be copied or written are the only reason for a RangeError.
  const status = error instanceof QuernError ? error.status : error instanceof RangeError ? STATUS.E_LIMIT : STATUS.E_INTERNAL;
  const [http, type, code] = HTTP[status] ?? [500, 'server_error', null];
  const message = error instanceof Error ? error.message : String(error);
  const param = /field "?([\w.[\]]+)/.exec(message)?.[1] ?? null;
  return { http, body: { error: { message, type, param, code: code ?? (error instanceof QuernError ? error.code : null) } } };
}

/** @param {unknown} body @param {number} [status] */
const json = (body, status = 200) => new Response(JSON.stringify(body), { status, headers: { ...JSON_HEADERS, 'x-request-id': `req_${crypto.randomUUID()}` } });

/**
 * Server-sent events. Cancelling the body ends the generation.
 * @param {AsyncIterable<any>} chunks @param {AbortController} controller @param {{ named?: boolean }} [options] named: events carry their type
 */
function sse(chunks, controller, { named = false } = {}) {
  const utf8 = new TextEncoder();
  const iterator = chunks[Symbol.asyncIterator]();
  const line = (/** @type {any} */ data) => utf8.encode(`${named ? `event: ${data.type}\n` : ''}data: ${JSON.stringify(data)}\n\n`);
  const body = new ReadableStream({
    async pull(stream) {
      try {
        const { value, done } = await iterator.next();
        if (!done) {
          stream.enqueue(line(value));
          return;
        }
        if (!named) stream.enqueue(utf8.encode('data: [DONE]\n\n'));
      } catch (error) {
        if (/** @type {Error} */ (error)?.name === 'AbortError') {
          stream.error(error);
          return;
        }
        stream.enqueue(line({ type: 'error', ...errorBody(error).body }));
      }
      stream.close();
    },
    async cancel() {
      controller.abort();
      await iterator.return?.();
    },
  });
  return new Response(body, { headers: { ...SSE_HEADERS, 'x-request-id': `req_${crypto.randomUUID()}` } });
}

/** @param {(asked: Asked) => { create(request: any, options: { signal: AbortSignal }): Promise<any> }} endpoint @param {{ named?: boolean }} [options] */
const create = (endpoint, options) => async (/** @type {Asked & { controller: AbortController }} */ asked) => {
  const answer = await endpoint(asked).create(asked.body, { signal: asked.signal });
  return asked.body.stream ? sse(answer, asked.controller, options) : json(answer);
};

/**
 * @param {Engine | Record<string, Engine>} engines one engine, or several by the model's name. Applications name models of other
 *   services: where only one engine here can answer, it does, whatever the name
 * @returns {typeof fetch} serves /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses, /v1/models and /health
 */
export function createFetch(engines) {
  const single = 'chat' in engines && 'info' in engines ? /** @type {Engine} */ (engines) : null;
  /** @type {Map<string, Served>} */
  const models = new Map();
  for (const [name, engine] of single ? [[single.info.model, single]] : Object.entries(engines)) {
    models.set(/** @type {string} */ (name), { engine: /** @type {Engine} */ (engine), responses: new Responses(engine.chat.completions, /** @type {string} */ (name)) });
  }
  const begun = Math.floor(Date.now() / 1000);
  const describe = (/** @type {string} */ id) => ({ id, object: 'model', created: begun, owned_by: 'quern' });

  /** @param {string | undefined} name @param {boolean} embeds an engine for embeddings is asked for */
  const pick = (name, embeds) => {
    const able = [...models.values()].filter(({ engine }) => engine.info.embeddings === embeds);
    const served = models.get(name ?? '') ?? (able.length === 1 ? able[0] : undefined);
    if (!served) throw fail(STATUS.E_NOT_FOUND, `the model "${name}" is not loaded; there are: ${[...models.keys()].join(', ')}`);
    return served;
  };
  /** @type {Record<string, (asked: any) => Promise<Response> | Response>} */
  const routes = {
    'POST /v1/chat/completions': create(({ served }) => served.engine.chat.completions),
    'POST /v1/completions': create(({ served }) => served.engine.completions),
    'POST /v1/embeddings': create(({ served }) => served.engine.embeddings),
    'POST /v1/responses': create(({ served }) => served.responses, { named: true }),
    'GET /v1/responses/*': ({ id, query }) => {
      if (query.get('stream') === 'true') throw fail(STATUS.E_UNSUPPORTED, 'stream: the events of a response are told once');
      return json(find(id).retrieve(id));
    },
    'DELETE /v1/responses/*': ({ id }) => json(find(id).delete(id)),
    'POST /v1/responses/*/cancel': ({ id }) => json(find(id).cancel(id)),
    'GET /v1/responses/*/input_items': ({ id, query }) => {
      const limit = query.get('limit');
      return json(find(id).inputItems(id, { order: query.get('order') ?? undefined, after: query.get('after') ?? undefined, limit: limit === null ? undefined : Number(limit) }));
    },
    'GET /v1/models': () => json({ object: 'list', data: [...models.keys()].map(describe) }),
    'GET /v1/models/*': ({ id }) => {
      if (!models.has(id)) throw fail(STATUS.E_NOT_FOUND, `the model "${id}" is not loaded`);
      return json(describe(id));
    },
    'GET /health': () => json({ status: 'ok' }),
  };
  /** @param {string} id */
  const find = (id) => {
    for (const { responses } of models.values()) {
      try {
        responses.retrieve(id);
        return responses;
      } catch {
        // Another model's, perhaps.
      }
    }
    throw fail(STATUS.E_NOT_FOUND, `no response ${id}`);
  };

  return async (input, init) => {
    const request = new Request(input instanceof Request ? input : new URL(String(input), globalThis.location?.href ?? 'http://localhost/'), init);
    const { pathname, searchParams: query } = new URL(request.url);
    const path = pathname.replace(/(?<!\/)\/+$/, '');
    // Behind the id of a response, what is wanted of it: /v1/responses/resp_1/cancel
    const [, list, last = '', rest = ''] = /^(\/v1\/\w+\/)([^/]+)(\/\w+)?$/.exec(path) ?? [];
    const route = routes[`${request.method} ${path}`] ?? routes[`${request.method} ${list}*${rest}`];
    const controller = new AbortController();
    const signal = init?.signal ?? request.signal;
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
    if (signal.aborted) throw signal.reason;
    try {
      if (!route) throw fail(STATUS.E_NOT_FOUND, `${request.method} ${path} is not served here`);
      /** @type {any} */
      let body = {};
      if (request.method === 'POST') {
        const text = await request.text();
        try {
          body = text === '' && rest ? {} : JSON.parse(text);
        } catch (error) {
          throw fail(STATUS.E_JSON, `the request's body: ${/** @type {Error} */ (error).message}`);
        }
        if (typeof body !== 'object' || body === null || Array.isArray(body)) throw fail(STATUS.E_ARGUMENT, "the request's body is no object");
      }
      const served = request.method === 'POST' && !rest ? pick(body.model, path.endsWith('/embeddings')) : undefined;
      return await route({ served, body, id: decoded(last), query, controller, signal: controller.signal });
    } catch (error) {
      if (/** @type {Error} */ (error)?.name === 'AbortError') throw error;
      const { http, body } = errorBody(error);
      return json(body, http);
    }
  };
}
