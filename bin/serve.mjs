// `quern serve`: OpenAI's interface (web/openai/fetch.js) over HTTP, on this machine only.

import { createServer } from 'node:http';
import { Readable } from 'node:stream';

import { createFetch } from '../web/openai/fetch.js';

const MAX_BODY = 64 << 20;
const MINE = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i;

/** @param {number} status @param {string} message */
const refusal = (status, message) => Response.json({ error: { message, type: 'invalid_request_error', param: null, code: null } }, { status });

/** @param {import('node:http').IncomingMessage} request @returns {Promise<Buffer | null>} null: too long */
async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * @param {Parameters<typeof createFetch>[0]} engine @param {number} port 0: any
 * @returns {Promise<{ port: number, close: () => Promise<void> }>} once it listens
 */
export async function serve(engine, port) {
  const answer = createFetch(engine);

  /** @param {import('node:http').IncomingMessage} request @param {AbortSignal} signal @returns {Promise<Response>} */
  async function respond(request, signal) {
    // A name that leads here from elsewhere belongs to a page that pretends to be this server's own.
    if (!MINE.test(request.headers.host ?? '')) return refusal(403, 'this server answers to 127.0.0.1 and localhost only');
    const posted = request.method === 'POST';
    // Pages of other origins may post forms here, not JSON: that needs a permission, which is never given.
    if (posted && !/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return refusal(415, 'the content type is not application/json');
    const body = posted ? await readBody(request) : undefined;
    if (body === null) return refusal(413, `the request is longer than ${MAX_BODY} bytes`);
    // Some targets are no addresses ("//["), and some would be another host's ("//host/").
    const target = request.url?.startsWith('/') ? `http://localhost${request.url}` : String(request.url);
    if (!URL.canParse(target)) return refusal(400, `"${request.url}" is no address`);
    return answer(target, { method: request.method, body: body && new Uint8Array(body), signal });
  }

  const server = createServer(async (request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const { status, headers, body } = await respond(request, gone.signal);
      response.writeHead(status, Object.fromEntries(headers));
      if (body) Readable.fromWeb(/** @type {any} */ (body)).on('error', () => response.destroy()).pipe(response);
      else response.end();
    } catch {
      response.destroy(); // the client left
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve(undefined)));
  return {
    port: /** @type {import('node:net').AddressInfo} */ (server.address()).port,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
