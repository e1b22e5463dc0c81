// Serves the demonstration page on localhost, from the source tree, with the headers that it is meant
// to live under. `--port N` (default 8080, the next free one if taken), `--no-isolation` leaves out
// COOP and COEP (then wasm runs on one thread).

import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

/** Folders of the tree that the page may ask for. */
const OPEN = ['demo', 'web', 'models'];

export const CSP = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "connect-src 'self' https://huggingface.co https://*.huggingface.co https://*.hf.co",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** @param {string | undefined} header @param {number} size @returns {{ start: number, end: number } | null | undefined} null: not satisfiable */
function parseRange(header, size) {
  const m = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!m || (!m[1] && !m[2])) return undefined;
  const start = m[1] ? Number(m[1]) : Math.max(0, size - Number(m[2]));
  const end = m[1] && m[2] ? Math.min(Number(m[2]), size - 1) : size - 1;
  return start > end ? null : { start, end };
}

/**
 * @param {{ root?: string, isolation?: boolean, csp?: string, onRequest?: (path: string) => void, extra?: Record<string, string> }} [options]
 *   csp: content security policy; extra: further folders, by first part of the path
 */
export function createStaticServer({ root = process.cwd(), isolation = true, csp = CSP, onRequest = () => {}, extra = {} } = {}) {
  return createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    onRequest(path);
    const headers = {
      'content-security-policy': csp,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-cache',
      'accept-ranges': 'bytes',
      ...(isolation ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'credentialless' } : {}),
    };
    const refuse = (/** @type {number} */ status, /** @type {string} */ text) => {
      response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'only GET and HEAD');
    if (path === '/') {
      response.writeHead(302, { ...headers, location: '/demo/' });
      return response.end();
    }
    const [, first, ...rest] = path.split('/');
    const base = extra[first] ?? (OPEN.includes(first) ? join(root, first) : null);
    let file = base ? join(base, ...rest) : '';
    if (base && existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    if (!base || !existsSync(file) || !(realpathSync(file) + sep).startsWith(realpathSync(base) + sep)) return refuse(404, `${path} is not here`);
    const { size } = statSync(file);
    const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? 'application/octet-stream';
    const range = parseRange(request.headers.range, size);
    if (range === null) return refuse(416, `${path} has ${size} bytes`);
    const { start, end } = range ?? { start: 0, end: size - 1 };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-type': type,
      ...(path === '/demo/sw.js' ? { 'service-worker-allowed': '/' } : {}),
      'content-length': Math.max(0, end - start + 1),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === 'HEAD' || size === 0) return response.end();
    createReadStream(file, { start, end }).on('error', () => response.destroy()).pipe(response);
  });
}

/** @param {import('node:http').Server} server @param {number} port @returns {Promise<number>} the port it listens on */
export function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'EADDRINUSE' && port !== 0 && port < 65535) resolve(listen(server, port + 1));
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(/** @type {import('node:net').AddressInfo} */ (server.address()).port));
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const args = process.argv.slice(2);
  const wanted = Number(args[args.indexOf('--port') + 1]);
  const server = createStaticServer({ isolation: !args.includes('--no-isolation') });
  const port = await listen(server, args.includes('--port') ? wanted : 8080);
  console.log(`Quern is at http://localhost:${port}/demo/ (Ctrl-C ends it)`);
}
