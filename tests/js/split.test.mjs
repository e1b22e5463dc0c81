// A GGUF model in parts, wherever parts can lie: on disk, behind URLs, among picked files.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import test, { after, before } from 'node:test';

import { openSource } from '../../web/sources.js';
import { askFresh, fixture, openEngine, openFiles, skipFixtures } from './lib/models.mjs';

const ALIGN = 32;
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]; // of values, by type
const [U16, I32, STRING, ARRAY] = [2, 5, 8, 9];

/**
 * Cuts a GGUF file into parts as llama.cpp's gguf-split does: the first has all keys, each has the tensors of a stretch of the
 * list with data of its own, and says which part it is.
 * @param {Buffer} file @param {number} n @returns {Buffer[]}
 */
function splitGguf(file, n) {
  let at = 8;
  const u32 = () => file.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(file.readBigUInt64LE((at += 8) - 8));
  const skipBytes = (/** @type {number} */ n) => void (at += n);
  const string = () => {
    const length = u64();
    skipBytes(length);
    return file.toString('utf8', at - length, at);
  };
  const [nTensors, nKvs] = [u64(), u64()];
  const skip = (/** @type {number} */ type) => {
    if (type === STRING) string();
    else skipBytes(SIZES[type]);
  };
  const keysAt = at;
  for (let i = 0; i < nKvs; i++) {
    assert.notEqual(string(), 'general.alignment');
    const type = u32();
    if (type !== ARRAY) skip(type);
    else for (let element = u32(), left = u64(); left > 0; left--) skip(element);
  }
  const keys = file.subarray(keysAt, at);
  const tensors = [];
  for (let i = 0; i < nTensors; i++) {
    const from = at;
    string();
    skipBytes(4 + 8 * u32()); // shape and type
    tensors.push({ head: file.subarray(from, at), offset: u64() });
  }
  const dataAt = Math.ceil(at / ALIGN) * ALIGN;
  const ends = new Map(tensors.map((t) => t.offset).sort((a, b) => a - b).map((offset, i, all) => [offset, all[i + 1] ?? file.length - dataAt]));
  const long = (/** @type {number} */ v) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(v)); return b; };
  const key = (/** @type {string} */ name, /** @type {number} */ type, /** @type {number} */ value) => {
    const b = Buffer.alloc(4 + SIZES[type]);
    b.writeUInt32LE(type);
    b.writeUIntLE(value, 4, SIZES[type]);
    return Buffer.concat([long(name.length), Buffer.from(name), b]);
  };
  return Array.from({ length: n }, (_, part) => {
    const mine = tensors.slice(Math.floor((part * nTensors) / n), Math.floor(((part + 1) * nTensors) / n));
    /** @type {Buffer[]} */ const data = [];
    let offset = 0;
    const heads = mine.map((t) => {
      const bytes = file.subarray(dataAt + t.offset, dataAt + /** @type {number} */ (ends.get(t.offset)));
      const head = Buffer.concat([t.head, long(offset)]);
      const padded = Math.ceil(bytes.length / ALIGN) * ALIGN;
      data.push(bytes, Buffer.alloc(padded - bytes.length));
      offset += padded;
      return head;
    });
    const said = [key('split.no', U16, part), key('split.count', U16, n), key('split.tensors.count', I32, nTensors)];
    const head = Buffer.concat([file.subarray(0, 8), long(mine.length), long((part === 0 ? nKvs : 0) + 3), ...(part === 0 ? [keys] : []), ...said, ...heads]);
    return Buffer.concat([head, Buffer.alloc(Math.ceil(head.length / ALIGN) * ALIGN - head.length), ...data]);
  });
}

const N = 3;
const folder = mkdtempSync(`${tmpdir()}/quern-`);
/** @type {string[]} */ let paths = [];
/** @type {import('node:http').Server} */ let server;

before(() => {
  if (skipFixtures) return;
  const parts = splitGguf(readFileSync(fixture('gguf/llama_Q8_0').path), N);
  paths = parts.map((bytes, i) => {
    const path = `${folder}/m-${String(i + 1).padStart(5, '0')}-of-${String(N).padStart(5, '0')}.gguf`;
    writeFileSync(path, bytes);
    return path;
  });
});
after(() => {
  rmSync(folder, { recursive: true });
  server?.close();
  server?.closeAllConnections();
});

/** @param {Awaited<ReturnType<typeof openEngine>>} engine */
async function check(engine) {
  for (const { ids, greedy } of fixture('gguf/llama_Q8_0').sequences) assert.deepEqual((await askFresh(engine, ids, { maxTokens: 24 })).ids, greedy);
  engine.close();
}

test('parts on disk', { skip: skipFixtures }, async () => {
  await check(await openEngine(paths[0]));
  await assert.rejects(openEngine(paths[1]), /part 2 of 3 of a split model, expected the first, named "…-00001-of-00003.gguf"/);
});

test('parts behind a URL', { skip: skipFixtures }, async () => {
  server = createServer((request, response) => {
    const name = basename(request.url ?? '');
    const path = paths.find((p) => p.endsWith(`/${name}`));
    if (!path) return void response.writeHead(404).end();
    const bytes = readFileSync(path);
    const m = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [from, to] = m ? [Number(m[1]), Math.min(Number(m[2]) + 1, bytes.length)] : [0, bytes.length];
    response.writeHead(m ? 206 : 200, { 'content-length': to - from, ...(m ? { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` } : {}) });
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from, to));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const source = await openSource(`http://127.0.0.1:${port}/${basename(paths[0])}`, { store: 'memory' });
  await check(await openFiles(source.backing, source.main));
});

test('picked parts, in any order; one that is missing is named', { skip: skipFixtures }, async () => {
  const files = paths.map((p) => new File([readFileSync(p)], basename(p))).reverse();
  const source = await openSource(files, { store: 'auto' });
  await check(await openFiles(source.backing, source.main));
  const less = await openSource(files.slice(1), { store: 'auto' });
  await assert.rejects(openFiles(less.backing, less.main), /cannot open "m-00003-of-00003.gguf"/);
});
