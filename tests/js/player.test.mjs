// The tape player on a real device (Dawn, SwiftShader where there is no GPU): order of answers, errors,
// fences, refusals, loss.

import assert from 'node:assert/strict';
import test from 'node:test';

import { openNodeDevice } from '../../bin/dawn.mjs';
import { EVENT, TapePlayer } from '../../web/gpu/player.js';
import { BIND, OP, USE } from '../../web/gpu/tape.gen.js';
import { STATUS } from '../../web/errors.js';

const skip = await openNodeDevice({ features: [] }).then(({ device }) => (device.destroy(), false), (e) => `${e.message}`);
const options = { skip };

const DOUBLE = `
override FACTOR: u32 = 2;
@group(0) @binding(0) var<uniform> add: vec4<u32>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = x[id.x] * FACTOR + add.x; }`;

/** A player, its events, and memory to write tapes into. */
async function setup() {
  const { device, caps } = await openNodeDevice({ features: [] });
  const memory = { buffer: new ArrayBuffer(1 << 20) };
  /** @type {{ kind: number, tag: number, status: number, bytes: Uint8Array }[]} */
  const events = [];
  /** @type {(() => void)[]} */
  let waiting = [];
  const player = new TapePlayer(device, (e) => {
    events.push({ ...e, bytes: e.bytes ? e.bytes.slice() : new Uint8Array(0) });
    for (const wake of waiting.splice(0)) wake();
  });
  let top = 4096;
  const put = (/** @type {Uint8Array} */ bytes) => {
    const at = top;
    new Uint8Array(memory.buffer).set(bytes, at);
    top += (bytes.length + 255) & ~255;
    return at;
  };
  return {
    device, caps, player, events, memory,
    /** words of a string operand */
    text(/** @type {string} */ s) {
      const bytes = new TextEncoder().encode(s);
      return [bytes.length, put(bytes), 0];
    },
    data: (/** @type {number[]} */ words) => [put(new Uint8Array(Uint32Array.from(words).buffer)), 0],
    play(/** @type {number[]} */ ...words) {
      const at = put(new Uint8Array(Uint32Array.from(words).buffer));
      return player.play(memory, at, words.length);
    },
    async until(/** @type {number} */ n) {
      const timer = setTimeout(() => { throw new Error(`only ${events.length} of ${n} events`); }, 60_000);
      while (events.length < n) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
      clearTimeout(timer);
      return events;
    },
    message: (/** @type {{ bytes: Uint8Array }} */ e) => new TextDecoder().decode(e.bytes),
    words: (/** @type {{ bytes: Uint8Array }} */ e) => [...new Uint32Array(e.bytes.buffer)],
    end() {
      player.close();
      device.destroy();
    },
  };
}

const STORAGE = USE.STORAGE | USE.COPY_SRC | USE.COPY_DST;
const f32 = (/** @type {number} */ v) => new Uint32Array(Float32Array.of(v).buffer)[0];

/** Words that create the doubling pipeline 1, buffers 1 (uniform), 2, 3 and group 1. @param {Awaited<ReturnType<typeof setup>>} s */
const create = (s, factor = 2) => [
  OP.CREATE_BUFFER, 1, 16, USE.UNIFORM | USE.COPY_DST, OP.CREATE_BUFFER, 2, 32, STORAGE, OP.CREATE_BUFFER, 3, 32, STORAGE,
  OP.CREATE_MODULE, 1, ...s.text('double'), 2, ...s.text(DOUBLE.slice(0, 9)), ...s.text(DOUBLE.slice(9)), OP.CREATE_LAYOUT, 1, 3, BIND.UNIFORM, BIND.READ, BIND.WRITE,
  OP.CREATE_PIPELINE, 1, 1, 1, 1, ...s.text('FACTOR'), f32(factor), OP.CREATE_GROUP, 1, 1, 3, 1, 0, 16, 2, 0, 32, 3, 0, 32,
];

const dispatch = [OP.BEGIN_PASS, OP.SET_PIPELINE, 1, OP.SET_GROUP, 1, OP.DISPATCH, 2, 1, 1, OP.END_PASS];

test('creates, writes, dispatches, copies, clears and reads; answers come in order', options, async () => {
  const s = await setup();
  assert.equal(s.play(...create(s, 3), OP.FENCE, 7), STATUS.OK);
  await s.until(1);
  assert.deepEqual([s.events[0].kind, s.events[0].tag], [EVENT.FENCE, 7]);
  const status = s.play(
    OP.WRITE_BUFFER, 1, 0, 16, ...s.data([100, 0, 0, 0]), OP.WRITE_BUFFER, 2, 0, 32, ...s.data([1, 2, 3, 4, 5, 6, 7, 8]),
    ...dispatch, OP.COPY, 3, 0, 2, 16, 8, OP.READ, 11, 3, 0, 32, OP.READ, 12, 2, 8, 16, OP.CLEAR, 3, 0, 32, OP.READ, 13, 3, 28, 4, OP.SUBMIT,
  );
  assert.equal(status, STATUS.OK);
  // A second step over the same group, in flight with the first: results of the first are its input.
  s.play(...dispatch, OP.READ, 14, 3, 0, 32, OP.SUBMIT, OP.FENCE, 8);
  await s.until(6);
  assert.deepEqual(s.events.map((e) => e.tag), [7, 11, 12, 13, 14, 8]);
  assert.deepEqual(s.words(s.events[1]), [103, 106, 109, 112, 115, 118, 121, 124]);
  assert.deepEqual(s.words(s.events[2]), [3, 4, 103, 106]);
  assert.deepEqual(s.words(s.events[3]), [0]);
  assert.deepEqual(s.words(s.events[4]), [103, 106, 109, 112, 409, 418, 121, 124]);
  s.end();
});

test('many reads in flight share staging buffers and keep their order', options, async () => {
  const s = await setup();
  s.play(OP.CREATE_BUFFER, 1, 4096, STORAGE);
  for (let i = 0; i < 40; i++) s.play(OP.WRITE_BUFFER, 1, 0, 4, ...s.data([i * 7]), OP.READ, i, 1, 0, i % 3 ? 4 : 4096, OP.SUBMIT);
  await s.until(40);
  assert.deepEqual(s.events.map((e) => [e.kind, e.tag, s.words(e)[0]]), Array.from({ length: 40 }, (_, i) => [EVENT.READ, i, i * 7]));
  assert.deepEqual(s.events.map((e) => e.bytes.length), Array.from({ length: 40 }, (_, i) => (i % 3 ? 4 : 4096)));
  assert.ok([...s.player.staging.values()].every((idle) => idle.length <= 8));
  s.end();
});

test('a module that does not compile: an error that names it, before the fence', options, async () => {
  const s = await setup();
  s.play(OP.CREATE_MODULE, 1, ...s.text('broken'), 1, ...s.text('fn main( {'), OP.CREATE_LAYOUT, 1, 0, OP.CREATE_PIPELINE, 1, 1, 1, 0, OP.FENCE, 5);
  await s.until(3);
  assert.deepEqual(s.events.map((e) => e.kind), [EVENT.ERROR, EVENT.ERROR, EVENT.FENCE]);
  assert.ok(s.events.slice(0, 2).every((e) => e.status === STATUS.E_GPU));
  assert.match(s.events.map(s.message).join('\n'), /broken/);
  s.end();
});

test('an override that the module lacks, and a group that does not fit its layout', options, async () => {
  const s = await setup();
  s.play(...create(s), OP.FENCE, 1);
  await s.until(1);
  s.play(OP.CREATE_PIPELINE, 2, 1, 1, 1, ...s.text('NOBODY'), f32(1), OP.FENCE, 2);
  await s.until(3);
  assert.deepEqual(s.events.map((e) => e.kind), [EVENT.FENCE, EVENT.ERROR, EVENT.FENCE]);
  s.play(OP.CREATE_GROUP, 2, 1, 2, 1, 0, 16, 2, 0, 32, OP.FENCE, 3);
  await s.until(5);
  assert.deepEqual(s.events.slice(3).map((e) => [e.kind, e.status]), [[EVENT.ERROR, STATUS.E_GPU], [EVENT.FENCE, STATUS.OK]]);
  s.end();
});

test('errors of a recorded command arrive as events', options, async () => {
  const s = await setup();
  s.play(...create(s), OP.FENCE, 1);
  await s.until(1);
  s.play(OP.COPY, 2, 16, 3, 0, 32, OP.SUBMIT); // beyond the end
  await s.until(2);
  assert.deepEqual([s.events[1].kind, s.events[1].status], [EVENT.ERROR, STATUS.E_GPU]);
  s.end();
});

test('a buffer larger than the limits is an error, not a crash', options, async () => {
  const s = await setup();
  s.play(OP.CREATE_BUFFER, 1, 0xfffffff0, STORAGE, OP.FENCE, 1);
  await s.until(2);
  assert.equal(s.events[0].kind, EVENT.ERROR);
  assert.ok([STATUS.E_GPU, STATUS.E_GPU_MEMORY].includes(/** @type {any} */ (s.events[0].status)));
  assert.equal(s.events[1].kind, EVENT.FENCE);
  s.end();
});

test('malformed tapes are refused whole', options, async () => {
  const s = await setup();
  const bad = [
    [99], [0], [OP.CREATE_BUFFER, 1], [OP.CREATE_LAYOUT, 1, 0xffffffff], [OP.DISPATCH, 1, 1, 1], [OP.END_PASS], [OP.DESTROY_BUFFER, 3],
    [OP.BEGIN_PASS, OP.SET_PIPELINE, 4, OP.END_PASS, OP.SUBMIT], [OP.BEGIN_PASS, OP.SUBMIT], [OP.READ, 1, 9, 0, 4], [OP.CREATE_LAYOUT, 1, 1, 3],
    [OP.CREATE_GROUP, 1, 5, 0], [OP.BEGIN_PASS, OP.END_PASS],
  ];
  for (const words of bad) assert.equal(s.play(...words), STATUS.E_INTERNAL, String(words));
  await s.until(bad.length);
  assert.ok(s.events.every((e) => e.kind === EVENT.ERROR && e.status === STATUS.E_INTERNAL));
  s.play(...create(s), OP.FENCE, 1); // and the player still works
  await s.until(bad.length + 1);
  assert.equal(s.events.at(-1)?.kind, EVENT.FENCE);
  s.end();
});

test('a lost device is told once; nothing is told after close', options, async () => {
  const s = await setup();
  s.play(...create(s), OP.FENCE, 1);
  await s.until(1);
  s.device.destroy();
  await s.until(2);
  assert.deepEqual([s.events[1].kind, s.events[1].status], [EVENT.LOST, STATUS.E_GPU_LOST]);
  s.player.close();
  assert.equal(s.play(OP.FENCE, 9), STATUS.E_GPU_LOST);
  const n = s.events.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(s.events.length, n);

  const other = await setup();
  other.play(...create(other), OP.READ, 1, 2, 0, 4, OP.SUBMIT, OP.FENCE, 1);
  other.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(other.events.length, 0);
});

test('works on shared memory', options, async () => {
  const s = await setup();
  const shared = new SharedArrayBuffer(1 << 20);
  new Uint8Array(shared).set(new Uint8Array(s.memory.buffer));
  s.memory.buffer = /** @type {any} */ (shared);
  assert.equal(s.play(...create(s), OP.FENCE, 1), STATUS.OK);
  await s.until(1);
  s.play(OP.WRITE_BUFFER, 2, 0, 8, ...s.data([5, 6]), ...dispatch, OP.READ, 2, 3, 0, 8, OP.SUBMIT);
  await s.until(2);
  assert.equal(s.events[1].kind, EVENT.READ, s.message(s.events[1]));
  assert.deepEqual(s.words(s.events[1]), [10, 12]);
  s.end();
});

test('the adapter decides features and limits; none means the specification\'s defaults', options, async () => {
  const all = await openNodeDevice();
  const none = await openNodeDevice({ features: [] });
  assert.deepEqual(none.caps.features, []);
  assert.equal(none.caps.maxBinding, 134217728);
  assert.equal(none.caps.maxWorkgroupMemory, 16384);
  assert.ok(all.caps.maxBinding >= none.caps.maxBinding);
  for (const f of all.caps.features) assert.ok(all.device.features.has(/** @type {GPUFeatureName} */ (f)));
  const one = await openNodeDevice({ features: ['subgroups', 'no-such-feature'] });
  assert.ok(one.caps.features.every((f) => f === 'subgroups'));
  for (const { device } of [all, none, one]) device.destroy();
});
