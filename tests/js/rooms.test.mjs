// The direction of the dependencies (docs/architecture.md): reads #include and import lines and
// fails where a room uses what it may not.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import test from 'node:test';

const rooms = {
  base: [],
  format: ['base'],
  quant: ['base'],
  text: ['base', 'format'],
  constrain: ['base', 'text'],
  program: ['base', 'quant'],
  model: ['base', 'format', 'quant', 'program'],
  onnx: ['base', 'format', 'quant', 'program'],
  cpu: ['base', 'quant', 'program'],
  webgpu: ['base', 'quant', 'program'],
  run: ['base', 'program', 'text'],
  engine: ['base', 'format', 'quant', 'text', 'constrain', 'program', 'model', 'onnx', 'cpu', 'webgpu', 'run'],
  wasm: ['engine'],
};

/** @param {string} folder @returns {string[]} */
function walk(folder) {
  if (!existsSync(folder)) return []; // a room that nobody lives in yet
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}

test('every C file includes only rooms it may use', () => {
  for (const [room, allowed] of Object.entries(rooms)) {
    for (const file of walk(`src/${room}`).filter((f) => /\.[ch]$/.test(f))) {
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
        if (name === 'quern.h') continue;
        const target = name.split('/')[0];
        assert.ok(target === room || allowed.includes(target), `${file} includes ${name}, but ${room} may use only: ${allowed}`);
      }
    }
  }
});

test('the command line uses quern.h and its own files only', () => {
  for (const file of walk('cli').filter((f) => /\.[ch]$/.test(f))) {
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      assert.ok(name === 'quern.h' || !name.includes('/'), `${file} includes ${name}`);
    }
  }
});

test('the page imports published entry points only, the library nothing outside itself', () => {
  for (const [room, allowed] of [['web', ['web/']], ['demo', ['demo/', 'web/index.js', 'web/worker.js']]]) {
    for (const file of walk(String(room)).filter((f) => /\.m?js$/.test(f))) {
      const text = readFileSync(file, 'utf8');
      for (const [, name] of text.matchAll(/^\s*(?:import|export)\b[^'"\n]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]/gm)) {
        if (!name || name.startsWith('node:') || (name === 'webgpu' && /node/.test(file))) continue;
        const target = posix.join(posix.dirname(file), name);
        assert.ok(/** @type {string[]} */ (allowed).some((a) => target.startsWith(a)), `${file} imports ${name}`);
      }
    }
  }
});

test('no file is longer than 1,500 lines, no header than 150 (quern.h apart)', () => {
  const files = ['include', 'src', 'cli', 'web', 'demo', 'tests', 'tools', 'fuzz', 'bench']
    .flatMap(walk)
    .filter((f) => /\.(c|h|m?js|wgsl|py)$/.test(f) && !/_tables?\.|\.gen\./.test(f));
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n').length - 1;
    const limit = file.endsWith('.h') && !file.endsWith('quern.h') ? 250 : 1500;
    assert.ok(lines <= limit, `${file} has ${lines} lines; the limit is ${limit}`);
  }
});
