// Plays tapes (src/webgpu/tape.h): 32-bit words that C wrote, carried out on a GPUDevice. Ids become
// objects here, and nothing else is known: no tensor, no kernel.
//
// play() returns at once. What a tape asked back, and what went wrong, comes as events, in the order of
// their words: every word that answers takes a place in one queue of promises.

import { STATUS } from '../errors.js';
import { BIND, OP, SHAPE } from './tape.gen.js';

/** Kinds of events (enum qn_gpu_event_kind). */
export const EVENT = Object.freeze({ READ: 0, FENCE: 1, ERROR: 2, LOST: 3 });

/** @typedef {{ kind: number, tag: number, status: number, bytes?: Uint8Array, micros?: number }} GpuEvent bytes of a
 *  READ are valid during the call only; of an ERROR or LOST, a message. micros: from the submit of a READ, or the
 *  answer before it, to its answer */

const BINDING_TYPES = /** @type {const} */ (['uniform', 'read-only-storage', 'storage']);
const STAGING_LEAST = 256; // bytes; staging buffers are powers of two from here on
const LOST_MS = 500; // from what a loss makes fail to the loss
const STAGING_KEPT = 8; // idle staging buffers of each size

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** A tape that no correct program writes. */
class TapeError extends Error {}

export class TapePlayer {
  /** @param {GPUDevice} device @param {(event: GpuEvent) => void} onEvent */
  constructor(device, onEvent) {
    this.device = device;
    this.onEvent = onEvent;
    /** @type {GPUBuffer[]} */
    this.buffers = [];
    /** @type {GPUShaderModule[]} */
    this.modules = [];
    /** @type {GPUBindGroupLayout[]} */
    this.layouts = [];
    /** @type {(GPUComputePipeline | undefined)[]} */
    this.pipelines = [];
    /** @type {GPUBindGroup[]} */
    this.groups = [];
    /** @type {Map<number, GPUBuffer[]>} idle staging buffers by size */
    this.staging = new Map();
    /** @type {Promise<unknown>} everything that answers up to now has been told */
    this.told = Promise.resolve();
    /** @type {Promise<unknown>[]} creations since the last fence */
    this.creating = [];
    this.scoped = false;
    this.closed = false;
    this.answered = 0; // when the last read-back came, in milliseconds
    device.addEventListener?.('uncapturederror', this.#uncaptured);
    device.lost.then((info) => this.#lost(`the GPU device was lost: ${info.message || info.reason || 'no reason given'}`));
  }

  #uncaptured = (/** @type {Event} */ event) => {
    const { error } = /** @type {GPUUncapturedErrorEvent} */ (event);
    event.preventDefault?.();
    this.#error(error.constructor.name === 'GPUOutOfMemoryError' ? STATUS.E_GPU_MEMORY : STATUS.E_GPU, error.message, 1);
  };

  /** @param {string} message */
  #lost(message) {
    if (!this.closed) this.#emit({ kind: EVENT.LOST, tag: 0, status: STATUS.E_GPU_LOST, bytes: utf8.encode(message) });
  }

  /** @param {number} status @param {string} message @param {number} [tag] 1: of no tape that creates anything */
  #error(status, message, tag = 0) {
    this.#emit({ kind: EVENT.ERROR, tag, status, bytes: utf8.encode(message.slice(0, 2000)) });
  }

  /** @param {GpuEvent} event */
  #emit(event) {
    if (!this.closed) this.onEvent(event);
  }

  /** Does `tell` after all earlier answers. @param {() => unknown} tell */
  #inOrder(tell) {
    this.told = this.told.then(tell, tell);
  }

  /**
   * @param {{ readonly buffer: ArrayBufferLike }} memory linear memory: WebAssembly.Memory, or anything with a buffer
   * @param {number} pointer byte address of the tape @param {number} n words
   * @returns {number} status
   */
  play(memory, pointer, n) {
    if (this.closed) return STATUS.E_GPU_LOST;
    const words = new Uint32Array(memory.buffer, pointer, n);
    try {
      if (this.#creates(words)) this.#openScopes();
      this.#play(words, memory.buffer);
      return STATUS.OK;
    } catch (error) {
      // Dawn and browsers throw a TypeError or RangeError where a value cannot even be converted.
      const status = error instanceof TapeError ? STATUS.E_INTERNAL : STATUS.E_GPU;
      this.#inOrder(() => this.#error(status, String(error)));
      return status;
    } finally {
      this.#closeScopes();
    }
  }

  #openScopes() {
    this.device.pushErrorScope('validation');
    this.device.pushErrorScope('out-of-memory');
    this.scoped = true;
  }

  #closeScopes() {
    if (!this.scoped) return;
    this.scoped = false;
    this.#closeScope(STATUS.E_GPU_MEMORY);
    this.#closeScope(STATUS.E_GPU);
  }

  /** @param {number} status of an error in the innermost scope */
  #closeScope(status) {
    const scope = this.device.popErrorScope().catch(() => null); // the device is lost: LOST says so
    this.creating.push(scope);
    this.#inOrder(async () => {
      const error = await scope;
      if (error) this.#error(status, error.message);
    });
  }

  /** Whether a tape creates anything; checks the lengths of its commands. @param {Uint32Array} words */
  #creates(words) {
    let creates = false;
    for (let at = 0; at < words.length; ) {
      const shape = SHAPE[words[at]];
      if (!shape || words[at] === 0) throw new TapeError(`word ${at}: ${words[at]} is no command`);
      creates ||= shape.name.startsWith('CREATE');
      at += 1 + shape.fixed + (shape.repeated ? shape.repeated * words[at + shape.fixed] : 0);
      if (!(at <= words.length)) throw new TapeError(`${shape.name} is cut off`);
    }
    return creates;
  }

  /** @template T @param {(T | undefined)[]} list @param {number} id @param {string} what @returns {T} */
  #get(list, id, what) {
    const object = list[id];
    if (!object) throw new TapeError(`${what} ${id} does not exist or is not ready`);
    return object;
  }

  /** @param {Uint32Array} w @param {ArrayBufferLike} heap */
  #play(w, heap) {
    const { device } = this;
    /** @type {GPUCommandEncoder | undefined} */
    let encoder;
    /** @type {GPUComputePassEncoder | undefined} */
    let pass;
    /** @type {(() => void)[]} what to do once the commands are submitted */
    let after = [];
    const commands = () => (encoder ??= device.createCommandEncoder());
    const inPass = () => {
      if (!pass) throw new TapeError('a command of a pass outside of one');
      return pass;
    };
    for (let at = 0; at < w.length; ) {
      const shape = SHAPE[w[at]];
      const p = at + 1;
      at = p + shape.fixed + (shape.repeated ? shape.repeated * w[p + shape.fixed - 1] : 0);
      switch (w[p - 1]) {
        case OP.CREATE_BUFFER:
          this.buffers[w[p]] = device.createBuffer({ size: w[p + 1], usage: w[p + 2] });
          break;
        case OP.DESTROY_BUFFER:
          this.#get(this.buffers, w[p], 'buffer').destroy();
          delete this.buffers[w[p]];
          break;
        case OP.WRITE_BUFFER:
          this.#write(this.#get(this.buffers, w[p], 'buffer'), w[p + 1], heap, address(w[p + 3], w[p + 4]), w[p + 2]);
          break;
        case OP.CREATE_MODULE:
          this.modules[w[p]] = device.createShaderModule({
            code: Array.from({ length: w[p + 4] }, (_, i) => string(heap, w[p + 6 + 3 * i], w[p + 7 + 3 * i], w[p + 5 + 3 * i])).join(''),
            label: string(heap, w[p + 2], w[p + 3], w[p + 1]),
          });
          break;
        case OP.CREATE_LAYOUT:
          this.layouts[w[p]] = device.createBindGroupLayout({ entries: Array.from(w.subarray(p + 2, at), layoutEntry) });
          break;
        case OP.CREATE_PIPELINE:
          this.#createPipeline(w, p, heap);
          break;
        case OP.CREATE_GROUP:
          this.groups[w[p]] = device.createBindGroup({
            layout: this.#get(this.layouts, w[p + 1], 'layout'),
            entries: Array.from({ length: w[p + 2] }, (_, binding) => {
              const e = p + 3 + 3 * binding;
              return { binding, resource: { buffer: this.#get(this.buffers, w[e], 'buffer'), offset: w[e + 1], size: w[e + 2] } };
            }),
          });
          break;
        case OP.DESTROY_GROUP:
          delete this.groups[w[p]];
          break;
        case OP.BEGIN_PASS:
          pass = commands().beginComputePass();
          break;
        case OP.SET_PIPELINE:
          inPass().setPipeline(this.#get(this.pipelines, w[p], 'pipeline'));
          break;
        case OP.SET_GROUP:
          inPass().setBindGroup(0, this.#get(this.groups, w[p], 'group'));
          break;
        case OP.DISPATCH:
          inPass().dispatchWorkgroups(w[p], w[p + 1], w[p + 2]);
          break;
        case OP.END_PASS:
          inPass().end();
          pass = undefined;
          break;
        case OP.COPY:
          commands().copyBufferToBuffer(this.#get(this.buffers, w[p], 'buffer'), w[p + 1], this.#get(this.buffers, w[p + 2], 'buffer'), w[p + 3], w[p + 4]);
          break;
        case OP.CLEAR:
          commands().clearBuffer(this.#get(this.buffers, w[p], 'buffer'), w[p + 1], w[p + 2]);
          break;
        case OP.READ:
          after.push(this.#read(commands(), w[p], this.#get(this.buffers, w[p + 1], 'buffer'), w[p + 2], w[p + 3]));
          break;
        case OP.SUBMIT:
          if (pass) throw new TapeError('SUBMIT within a pass');
          if (encoder) device.queue.submit([encoder.finish()]);
          encoder = undefined;
          for (const f of after) f();
          after = [];
          break;
        case OP.FENCE:
          this.#fence(w[p]);
          break;
      }
    }
    if (encoder) throw new TapeError('a tape records and does not submit');
  }

  /** @param {GPUBuffer} buffer @param {number} offset @param {ArrayBufferLike} heap @param {number} at @param {number} n bytes */
  #write(buffer, offset, heap, at, n) {
    if (heap instanceof ArrayBuffer) this.device.queue.writeBuffer(buffer, offset, heap, at, n);
    else this.device.queue.writeBuffer(buffer, offset, new Uint8Array(heap, at, n).slice()); // not all take shared memory
  }

  /** @param {Uint32Array} w @param {number} p @param {ArrayBufferLike} heap */
  #createPipeline(w, p, heap) {
    const { device } = this;
    const id = w[p];
    const values = new Float32Array(w.buffer, w.byteOffset, w.length);
    /** @type {Record<string, number>} */
    const constants = {};
    for (let i = 0, e = p + 4; i < w[p + 3]; i++, e += 4) constants[string(heap, w[e + 1], w[e + 2], w[e])] = values[e + 3];
    const module = this.#get(this.modules, w[p + 1], 'module');
    const layout = device.createPipelineLayout({ bindGroupLayouts: [this.#get(this.layouts, w[p + 2], 'layout')] });
    delete this.pipelines[id];
    const made = device.createComputePipelineAsync({ label: module.label, layout, compute: { module, entryPoint: 'main', constants } }).then(
      (pipeline) => void (this.pipelines[id] = pipeline),
      (error) => `${module.label}: ${error.message}`,
    );
    this.creating.push(made);
    this.#inOrder(async () => {
      const message = await made;
      if (message) this.#error(STATUS.E_GPU, message);
    });
  }

  /**
   * Records the copy of a read-back; the answer maps it once the commands are submitted.
   * @param {GPUCommandEncoder} encoder @param {number} tag @param {GPUBuffer} buffer @param {number} offset @param {number} n bytes
   */
  #read(encoder, tag, buffer, offset, n) {
    let size = STAGING_LEAST;
    while (size < n) size *= 2;
    const target =
      this.staging.get(size)?.pop() ?? this.device.createBuffer({ size, usage: 0x1 /* MAP_READ */ | 0x8 /* COPY_DST */, label: 'read-back' });
    encoder.copyBufferToBuffer(buffer, offset, target, 0, n);
    return () => {
      let begin = performance.now();
      let end = begin;
      const done = () => {
        begin = Math.max(begin, this.answered);
        end = this.answered = performance.now();
        return '';
      };
      const mapped = target.mapAsync(0x1 /* READ */, 0, n).then(done, (error) => String(error.message ?? error));
      this.#inOrder(async () => {
        const message = await mapped;
        if (this.closed) return;
        if (message) {
          // Of a lost device LOST tells, if not yet; anything else must not leave the engine waiting.
          await Promise.race([this.device.lost, new Promise((later) => setTimeout(later, LOST_MS))]);
          this.#error(STATUS.E_GPU, `read-back ${tag}: ${message}`);
          return;
        }
        this.#emit({ kind: EVENT.READ, tag, status: STATUS.OK, bytes: new Uint8Array(target.getMappedRange(0, n)), micros: Math.round(1000 * (end - begin)) });
        if (this.closed) return; // by the event's receiver
        target.unmap();
        const idle = this.staging.get(size) ?? [];
        this.staging.set(size, idle);
        if (idle.length < STAGING_KEPT) idle.push(target);
        else target.destroy();
      });
    };
  }

  /** @param {number} tag */
  #fence(tag) {
    const scoped = this.scoped;
    this.#closeScopes(); // what they caught is told before the fence
    if (scoped) this.#openScopes();
    const pending = Promise.all(this.creating);
    this.creating = [];
    this.#inOrder(async () => {
      await pending;
      this.#emit({ kind: EVENT.FENCE, tag, status: STATUS.OK });
    });
  }

  /** No event comes after this; GPU objects are freed. The device stays, it is its opener's. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.device.removeEventListener?.('uncapturederror', this.#uncaptured);
    for (const buffer of this.buffers) buffer?.destroy();
    for (const idle of this.staging.values()) for (const buffer of idle) buffer.destroy();
    this.buffers = [];
    this.modules = [];
    this.layouts = [];
    this.pipelines = [];
    this.groups = [];
    this.staging.clear();
  }
}

/** @param {number} low @param {number} high */
function address(low, high) {
  return low + high * 2 ** 32;
}

/** @param {ArrayBufferLike} heap @param {number} low @param {number} high @param {number} n bytes */
function string(heap, low, high, n) {
  return text.decode(new Uint8Array(heap, address(low, high), n).slice()); // shared memory cannot be decoded in place
}

/** @param {number} kind @param {number} binding @returns {GPUBindGroupLayoutEntry} */
function layoutEntry(kind, binding) {
  if (kind > BIND.WRITE) throw new TapeError(`binding kind ${kind}`);
  return { binding, visibility: 0x4 /* COMPUTE */, buffer: { type: BINDING_TYPES[kind] } };
}
