// Reads and writes GGUF version 3 (little-endian), enough of it to change a file's metadata and to make
// models of random weights that every engine of the format can load.
// Layout: magic, version, counts; key, type, value …; name, dimensions, type, offset …; aligned data.

import { Buffer } from 'node:buffer';

/** @typedef {{ type: number, value: any, element?: number }} Meta element: type of an array's elements */
/** @typedef {{ name: string, dims: number[], type: number, data: Uint8Array }} Tensor dims: innermost first */

export const TYPE = Object.freeze({ U8: 0, I8: 1, U16: 2, I16: 3, U32: 4, I32: 5, F32: 6, BOOL: 7, STRING: 8, ARRAY: 9, U64: 10, I64: 11, F64: 12 });
export const TENSOR = Object.freeze({ F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, Q4_K: 12, Q5_K: 13, Q6_K: 14, IQ4_XS: 23, BF16: 30 });
/** Values and bytes of a block, by type. @type {Record<number, [number, number]>} */
const BLOCK = {
  ...{ 0: [1, 4], 1: [1, 2], 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 30: [1, 2] },
  ...{ 10: [256, 84], 11: [256, 110], 12: [256, 144], 13: [256, 176], 14: [256, 210], 20: [32, 18], 23: [256, 136] }, // Q2_K … Q6_K, IQ4_NL, IQ4_XS
};

const ALIGN = 32;

/** Bytes of a block. @param {number} type */
export const blockBytes = (type) => BLOCK[type][1];

/** @param {number} type @param {number[]} dims */
export function tensorBytes(type, dims) {
  const [values, bytes] = BLOCK[type];
  return (dims.reduce((a, b) => a * b, 1) / values) * bytes;
}

/** @param {Buffer} file @returns {{ meta: Map<string, Meta>, tensors: Tensor[] }} */
export function readGguf(file) {
  let at = 0;
  const u32 = () => ((at += 4), file.readUInt32LE(at - 4));
  const u64 = () => ((at += 8), Number(file.readBigUInt64LE(at - 8)));
  const string = () => {
    const n = u64();
    return file.toString('utf8', at, (at += n));
  };
  /** @type {Record<number, () => any>} */
  const scalar = {
    [TYPE.U8]: () => file.readUInt8(at++),
    [TYPE.I8]: () => file.readInt8(at++),
    [TYPE.U16]: () => ((at += 2), file.readUInt16LE(at - 2)),
    [TYPE.I16]: () => ((at += 2), file.readInt16LE(at - 2)),
    [TYPE.U32]: u32,
    [TYPE.I32]: () => ((at += 4), file.readInt32LE(at - 4)),
    [TYPE.F32]: () => ((at += 4), file.readFloatLE(at - 4)),
    [TYPE.BOOL]: () => file.readUInt8(at++) !== 0,
    [TYPE.STRING]: string,
    [TYPE.U64]: u64,
    [TYPE.I64]: () => ((at += 8), Number(file.readBigInt64LE(at - 8))),
    [TYPE.F64]: () => ((at += 8), file.readDoubleLE(at - 8)),
  };
  if (file.toString('latin1', 0, 4) !== 'GGUF' || file.readUInt32LE(4) !== 3) throw new Error('not GGUF version 3');
  at = 8;
  const nTensors = u64();
  const nMeta = u64();
  /** @type {Map<string, Meta>} */
  const meta = new Map();
  for (let i = 0; i < nMeta; i++) {
    const key = string();
    const type = u32();
    if (type === TYPE.ARRAY) {
      const element = u32();
      const n = u64();
      meta.set(key, { type, element, value: Array.from({ length: n }, () => scalar[element]()) });
    } else {
      meta.set(key, { type, value: scalar[type]() });
    }
  }
  const heads = Array.from({ length: nTensors }, () => {
    const name = string();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const align = meta.get('general.alignment')?.value ?? ALIGN;
  const data = Math.ceil(at / align) * align;
  return { meta, tensors: heads.map(({ name, dims, type, offset }) => ({ name, dims, type, data: file.subarray(data + offset, data + offset + tensorBytes(type, dims)) })) };
}

/** @param {Map<string, Meta>} meta @param {Tensor[]} tensors @returns {Buffer} */
export function writeGguf(meta, tensors) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  const put = (/** @type {Uint8Array} */ bytes) => {
    parts.push(bytes);
    size += bytes.length;
  };
  const number = (/** @type {number} */ n, /** @type {(b: Buffer) => void} */ write) => {
    const b = Buffer.alloc(n);
    write(b);
    put(b);
  };
  const u32 = (/** @type {number} */ v) => number(4, (b) => b.writeUInt32LE(v));
  const u64 = (/** @type {number} */ v) => number(8, (b) => b.writeBigUInt64LE(BigInt(v)));
  const string = (/** @type {string} */ s) => {
    const bytes = Buffer.from(s, 'utf8');
    u64(bytes.length);
    put(bytes);
  };
  /** @type {Record<number, (v: any) => void>} */
  const scalar = {
    [TYPE.U8]: (v) => number(1, (b) => b.writeUInt8(v)),
    [TYPE.I8]: (v) => number(1, (b) => b.writeInt8(v)),
    [TYPE.U16]: (v) => number(2, (b) => b.writeUInt16LE(v)),
    [TYPE.I16]: (v) => number(2, (b) => b.writeInt16LE(v)),
    [TYPE.U32]: u32,
    [TYPE.I32]: (v) => number(4, (b) => b.writeInt32LE(v)),
    [TYPE.F32]: (v) => number(4, (b) => b.writeFloatLE(v)),
    [TYPE.BOOL]: (v) => number(1, (b) => b.writeUInt8(v ? 1 : 0)),
    [TYPE.STRING]: string,
    [TYPE.U64]: u64,
    [TYPE.I64]: (v) => number(8, (b) => b.writeBigInt64LE(BigInt(v))),
    [TYPE.F64]: (v) => number(8, (b) => b.writeDoubleLE(v)),
  };
  const pad = (/** @type {number} */ align) => put(Buffer.alloc((align - (size % align)) % align));
  put(Buffer.from('GGUF', 'latin1'));
  u32(3);
  u64(tensors.length);
  u64(meta.size);
  for (const [key, { type, value, element }] of meta) {
    string(key);
    u32(type);
    if (type === TYPE.ARRAY) {
      u32(/** @type {number} */ (element));
      u64(value.length);
      for (const v of value) scalar[/** @type {number} */ (element)](v);
    } else {
      scalar[type](value);
    }
  }
  const align = meta.get('general.alignment')?.value ?? ALIGN;
  let offset = 0;
  for (const { name, dims, type, data } of tensors) {
    if (data.length !== tensorBytes(type, dims)) throw new Error(`${name}: ${data.length} bytes, not ${tensorBytes(type, dims)}`);
    string(name);
    u32(dims.length);
    dims.forEach(u64);
    u32(type);
    u64(offset);
    offset += Math.ceil(data.length / align) * align;
  }
  pad(align);
  for (const { data } of tensors) {
    put(data);
    pad(align);
  }
  return Buffer.concat(parts, size);
}
