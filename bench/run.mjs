// Speed, beside other engines: `make bench`, or node bench/run.mjs [SECTION…] [options].
//
//   native    the command build/quern on synthetic models
//   wasm      the same in Node, on the CPU
//   wllama    Quern and wllama (llama.cpp) in one Chromium, on one GGUF file, in the order A B B A
//   transformers  Quern and transformers.js (ONNX Runtime Web) likewise; npm installs the package under build/bench first
//   webllm    Quern and web-llm on WebGPU: --library FILE.wasm,… (models compiled by MLC) [--mlc FOLDER (the model in MLC's layout; else one
//             of random weights is made under build/bench/mlc)] [--version 0.2.86]
//   page      Quern alone in Chromium on synthetic models
//   dawn      WebGPU through Dawn in Node; on a software adapter only with --software
//   launches  GPU commands per token, counted on the tape (needs no GPU)
//
// --quick: fewer and shorter runs; in Chromium --prompt N,… --tokens N --warm N --rounds N say other lengths. --gpu vulkan | vulkan-f16 (shader-f16 where Dawn
// hides it) | swiftshader | none: the adapter in Chromium; with one, `wllama` and `transformers` compare both engines' WebGPU too. --chrome FILE: the browser
// (or CHROMIUM). --features a,b: Quern uses these of the GPU at most (none: the specification's minimum); --tune: it measures at its start, as applications' do.
// --models a,b: synthetic models instead of the default ones. --out FOLDER: default bench/results. --verbose: what pages say.
//
// Every run adds its rows to results/DATE-DEVICE.csv and its raw figures to a .json beside it, with the commit and
// the machine. Token counts are forced, prompts differ from run to run, warm-ups are not counted.

import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

import { openNodeDevice } from '../bin/dawn.mjs';
import { ADAPTERS, findChromium, openPage, root, serve } from './browser.mjs';
import { countLaunches, DEVICES } from './launches.mjs';
import { makeGguf } from './synthetic_gguf.mjs';
import { makeMlc } from './synthetic_mlc.mjs';
import { makeOnnx } from './synthetic_onnx.mjs';

const SECTIONS = ['native', 'wasm', 'wllama', 'transformers', 'webllm', 'page', 'dawn', 'launches'];
const args = process.argv.slice(2);
const option = (/** @type {string} */ name, /** @type {string} */ otherwise) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
const flag = (/** @type {string} */ name) => args.includes(name);
const chosen = SECTIONS.filter((s) => args.includes(s));
const sections = chosen.length ? chosen : SECTIONS;
const quick = flag('--quick');
const models = option('--models', quick ? 'smollm2-360m:q4f16_1' : 'qwen2.5-0.5b:q4f16_1,smollm2-360m:q4f16_1').split(',');
const out = option('--out', join(root, 'bench/results'));
const adapter = /** @type {typeof ADAPTERS[number]} */ (option('--gpu', 'none'));
if (!ADAPTERS.includes(adapter)) throw new Error(`--gpu ${adapter}: known are ${ADAPTERS.join(', ')}`);
if (flag('--chrome')) process.env.CHROMIUM = option('--chrome', '');

/** '' where this is no clone. @param {string[]} a */
function git(...a) {
  try {
    return execFileSync('git', a, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
const when = new Date().toISOString();
const environment = {
  when,
  commit: git('rev-parse', '--short', 'HEAD') || process.env.QN_COMMIT || 'unknown',
  dirty: git('status', '--porcelain', '--', 'src', 'web', 'bin', 'cli').length > 0,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  loadBefore: loadavg()[0],
};

/** @typedef {{ section: string, engine: string, model: string, device: string, threads: number, metric: string, n: number, unit: string, median: number, min: number, max: number, runs: number, ratio?: number, peer?: string }} Row */
/** @type {Row[]} */
const rows = [];
/** @type {Record<string, unknown>} */
const raw = {};

/** @param {number[]} values */
function spread(values) {
  const s = [...values].sort((a, b) => a - b);
  const median = s.length % 2 ? s[s.length >> 1] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
  return { median, min: s[0], max: s[s.length - 1], runs: s.length };
}

/** @param {Row} row */
function add(row) {
  rows.push(row);
  const ratio = row.ratio ? `  ${row.ratio.toFixed(2)} × ${row.peer}` : '';
  console.log(`${row.section.padEnd(16)}${row.engine.padEnd(23)}${row.model.padEnd(24)} ${row.device.padEnd(22)}${String(row.threads).padStart(2)} thr  ${row.metric} ${row.n}: ${row.median.toFixed(2)} ${row.unit} (${row.min.toFixed(2)} to ${row.max.toFixed(2)}, ${row.runs} runs)${ratio}`);
}

/** @typedef {{ pp: { n: number, tps: { median: number, min: number, max: number } }, tg: { n: number, tps: { median: number, min: number, max: number } }, ttft32_ms?: { median: number, min: number, max: number }, load_ms: number }} Bench */

/** What `quern bench --json` says, as rows. @param {string} section @param {string} engine @param {string} model @param {string} device @param {number} threads @param {number} runs @param {Bench} b */
function addBench(section, engine, model, device, threads, runs, b) {
  const common = { section, engine, model, device, threads, runs };
  add({ ...common, metric: 'prefill', n: b.pp.n, unit: 'tok/s', ...b.pp.tps });
  add({ ...common, metric: 'decode', n: b.tg.n, unit: 'tok/s', ...b.tg.tps });
  if (b.ttft32_ms) add({ ...common, metric: 'ttft', n: 32, unit: 'ms', ...b.ttft32_ms });
  add({ ...common, metric: 'load', n: 1, unit: 'ms', median: b.load_ms, min: b.load_ms, max: b.load_ms, runs: 1 });
}

/** @param {string} command @param {string[]} argv */
const json = (command, argv) => JSON.parse(execFileSync(command, argv, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }));

const lengths = quick ? ['-p', '64', '-n', '16', '-r', '3'] : ['-p', '256', '-n', '64', '-r', '5'];
const repeats = Number(lengths[5]);

/** What npm installs for the bench alone. @param {string} spec name@version @returns {string} its node_modules */
function peerPackage(spec) {
  const folder = join(root, 'build/bench/npm', spec.replace(/^@|\/.*@/g, '-'));
  const name = spec.slice(0, spec.lastIndexOf('@'));
  if (!existsSync(join(folder, 'node_modules', name))) {
    mkdirSync(folder, { recursive: true });
    execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', spec], { stdio: 'inherit' });
  }
  return join(folder, 'node_modules');
}

const features = option('--features', '');
const forced = {
  prompts: option('--prompt', quick ? '64' : '128').split(',').map(Number),
  tokens: Number(option('--tokens', quick ? '32' : '64')),
  warm: Number(option('--warm', '2')),
  rounds: Number(option('--rounds', quick ? '1' : '2')),
  ...(features && { features: features.split(',').filter((f) => f !== 'none') }),
  tune: flag('--tune'),
};
const SAID = 20; // lines of a page that are shown when it fails
/** What the page of the day has said. @type {string[]} */
let said = [];
const lastSaid = () => said.slice(-SAID).join('\n');

/** What an adapter is called. @param {{ vendor?: string, architecture?: string, description?: string } | null} device */
const deviceName = (device) => device?.description || `${device?.vendor ?? ''} ${device?.architecture ?? ''}`.trim() || 'WebGPU';

/**
 * Quern, and another engine if there is one, in one Chromium page for each case.
 * @param {string} section @param {string | undefined} peer @param {Record<string, string>} folders served, by name @param {typeof adapter} gpu
 * @param {{ label: string, model?: string, synthetic?: string, peerModel?: string, library?: string, threads: number, gpu: boolean }[]} cases
 */
async function inPages(section, peer, folders, gpu, cases) {
  if (!findChromium()) return console.log(`${section}: no Chromium`);
  const server = await serve(folders);
  /** @type {unknown[]} */
  const results = (raw[section] = []);
  try {
    for (const { label, ...mode } of cases) {
      said = [];
      const log = (/** @type {string} */ line) => (flag('--verbose') ? console.log(line) : said.push(line));
      const plan = { ...(peer && { peer }), context: Math.max(1024, Math.max(...forced.prompts) + forced.tokens + 8), ...forced, ...mode };
      let chromium;
      try {
        chromium = await openPage(server.url, { gpu, log });
        const answer = await Promise.race([
          chromium.page.evaluate(async (p) => (await import(/** @type {string} */ ('/bench/page.js'))).compare(p), plan),
          new Promise((_, reject) => chromium?.page.once('crash', () => reject(new Error('the page crashed')))),
        ]);
        addComparison(section, label, plan, answer);
        results.push({ label, plan, chromium: chromium.version, ...answer });
      } catch (error) {
        // The other cases are measured all the same.
        results.push({ label, plan, error: String(error), said });
        console.log(`${section} ${label}: ${error}\n${lastSaid()}`);
        process.exitCode = 1;
      } finally {
        await chromium?.close();
      }
    }
  } finally {
    server.close();
  }
  return results;
}

/**
 * The same on GGUF files of random weights: by type, by threads, and with --gpu on WebGPU too.
 * @param {string} peer @param {('Q4_0' | 'Q8_0')[]} types @param {(file: string) => string} peerModel the other engine's model for a file
 * @param {Record<string, string>} [folders] served beside that of the files
 */
function besideGguf(peer, types, peerModel, folders) {
  /** @type {{ threads: number, gpu: boolean }[]} */
  const modes = [...new Set([1, Math.min(cpus().length, 8)])].filter(Boolean).map((threads) => ({ threads, gpu: false }));
  if (adapter !== 'none') modes.push({ threads: 1, gpu: true });
  const cases = types.flatMap((type) => {
    const name = `smollm-135m-${type.toLowerCase()}.gguf`;
    makeGguf(join(root, 'build/bench', name), type);
    return modes.map((mode) => ({ label: `smollm-135m ${type}`, model: `/files/${name}`, peerModel: peerModel(name), ...mode }));
  });
  return inPages(peer, peer, { files: join(root, 'build/bench'), ...folders }, adapter, cases);
}

/** @type {Record<string, () => Promise<unknown>>} */
const measure = {
  async native() {
    if (!existsSync(join(root, 'build/quern'))) return console.log('native: build/quern is not built');
    const results = [];
    for (const model of models) {
      for (const threads of [...new Set([1, Math.min(cpus().length, 8)])]) {
        const b = json('build/quern', ['bench', '--synthetic', model, '--threads', String(threads), ...lengths, '--json']);
        addBench('native', 'quern', model, environment.cpu, threads, repeats, b);
        results.push({ model, threads, ...b });
      }
    }
    return results;
  },
  async wasm() {
    const results = [];
    for (const model of models) {
      const b = json(process.execPath, ['bin/quern.mjs', 'bench', '--synthetic', model, ...lengths, '--json']);
      addBench('wasm', 'quern (Node)', model, environment.cpu, 1, repeats, b);
      results.push({ model, ...b });
    }
    return results;
  },
  async wllama() {
    if (!existsSync(join(root, 'node_modules/@wllama/wllama'))) return console.log('wllama: no @wllama/wllama');
    return besideGguf('wllama', ['Q4_0', 'Q8_0'], (file) => `/files/${file}`);
  },
  async transformers() {
    const files = join(root, 'build/bench');
    const model = (/** @type {string} */ file) => basename(makeOnnx(join(files, file.replace('.gguf', '-onnx')), join(files, file)));
    return besideGguf('transformers.js', ['Q4_0'], model, { peers: peerPackage('@huggingface/transformers@4.3.1') });
  },
  async webllm() {
    const [mlc, libraries] = [option('--mlc', ''), option('--library', '').split(',').filter(Boolean)];
    if (!libraries.length) return console.log('webllm: --library FILE.wasm,… says what it runs');
    const cases = libraries.map((library) => {
      const name = basename(library, '.wasm').replace(/-ctx.*/, '');
      const folder = mlc ? resolve(mlc) : makeMlc(library, join(root, 'build/bench/mlc', name));
      const model = `/mlc/${basename(folder)}/`;
      return { label: name, model, peerModel: model, library: `/library/${basename(library)}`, threads: 1, gpu: true };
    });
    const folders = { mlc: mlc ? dirname(resolve(mlc)) : join(root, 'build/bench/mlc'), library: dirname(resolve(libraries[0])), peers: peerPackage(`@mlc-ai/web-llm@${option('--version', '0.2.86')}`) };
    return inPages('webllm', 'web-llm', folders, adapter === 'none' ? 'swiftshader' : adapter, cases);
  },
  async page() {
    if (adapter === 'none') return console.log('page: --gpu says which adapter');
    if (adapter === 'swiftshader' && !flag('--software')) return console.log('page: --software measures a software adapter all the same');
    const what = [...(features ? [`features ${features}`] : []), ...(forced.tune ? ['tuned'] : [])];
    return inPages('page', undefined, {}, adapter, models.map((synthetic) => ({ label: [synthetic, ...what].join(' '), synthetic, threads: 1, gpu: true })));
  },
  async dawn() {
    const { device, info } = await openNodeDevice();
    device.destroy();
    if (info.fallback && !flag('--software')) return console.log(`dawn: only ${info.description} is here (--software measures it all the same)`);
    const results = [];
    for (const model of models) {
      const b = json(process.execPath, ['bin/quern.mjs', 'bench', '--synthetic', model, '--backend', 'webgpu', '--kv', 'f16', ...lengths, '--json']);
      addBench('dawn', 'quern (Dawn)', model, info.description || info.device, 1, repeats, b);
      results.push({ model, ...b });
    }
    return results;
  },
  async launches() {
    const results = [];
    for (const model of models) {
      for (const [device, caps] of Object.entries(DEVICES)) {
        for (const [mode, sampling] of /** @type {[string, Record<string, number>][]} */ ([['greedy', {}], ['top-p', { temperature: 0.7, topP: 0.95, seed: 1 }]])) {
          const c = await countLaunches(model, caps, { prompt: 512, sampling });
          const { DISPATCH: dispatches, SUBMIT: submits, readBytes = 0, writeBytes = 0 } = c.token;
          console.log(`launches ${model} ${device} ${mode}: ${dispatches} dispatches, ${submits} submits, ${writeBytes} bytes written, ${readBytes} read per token; ${c.prefill.DISPATCH} dispatches for a prompt of 512; ${c.pipelines} pipelines`);
          results.push({ model, device, mode, ...c });
        }
      }
    }
    return results;
  },
};

/** @param {string} section @param {string} label @param {any} plan @param {any} answer */
function addComparison(section, label, plan, answer) {
  const device = plan.gpu ? deviceName(answer.engines[0].device) : environment.cpu;
  for (const prompt of /** @type {number[]} */ (plan.prompts)) {
    const of = (/** @type {string} */ name, /** @type {string} */ field) => spread(answer.runs.filter((/** @type {any} */ r) => r.engine === name && r.prompt === prompt).map((/** @type {any} */ r) => r[field]));
    const metrics = /** @type {[string, string, number, string][]} */ ([['first token', 'ttftMs', prompt, 'ms'], ['prefill', 'prefillTps', prompt, 'tok/s'], [`decode at ${prompt}`, 'decodeTps', plan.tokens, 'tok/s']]);
    for (const [metric, field, n, unit] of metrics) {
      for (const { name, threads } of answer.engines) {
        const s = of(name, field);
        const [mine, its] = plan.peer && name === 'quern' ? [s.median, of(plan.peer, field).median] : [0, 0];
        const ratio = mine && { ratio: unit === 'ms' ? its / mine : mine / its, peer: plan.peer };
        add({ section, engine: `${name} (page)`, model: label, device, threads, metric, n, unit, ...s, ...ratio });
      }
    }
    if (Number.isInteger(answer.agreed[prompt])) console.log(`  greedy tokens agree up to number ${answer.agreed[prompt]} of ${plan.tokens}`);
    const counts = [...new Set(answer.runs.filter((/** @type {any} */ r) => r.prompt === prompt).map((/** @type {any} */ r) => `${r.engine} ${r.promptTokens}+${r.tokens}`))];
    console.log(`  tokens as the engines count them: ${counts.join(', ')}`);
  }
  const { variants } = answer.engines[0];
  if (variants) console.log(`  kernels: ${JSON.stringify(variants)}`);
  for (const { name, threads, loadMs } of answer.engines) add({ section, engine: `${name} (page)`, model: label, device, threads, metric: 'load', n: 1, unit: 'ms', median: loadMs, min: loadMs, max: loadMs, runs: 1 });
}

console.log(`${when}  ${environment.cpu}, ${environment.cores} cores, load ${environment.loadBefore.toFixed(2)}, commit ${environment.commit}${environment.dirty ? ' with changes' : ''}`);

const COLUMNS = /** @type {const} */ (['section', 'engine', 'model', 'device', 'threads', 'metric', 'n', 'unit', 'median', 'min', 'max', 'runs', 'ratio', 'peer']);
const quote = (/** @type {unknown} */ v) => (typeof v === 'number' ? String(Number(v.toPrecision(6))) : /[",\n]/.test(String(v ?? '')) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ''));

/** What there is so far. */
function save() {
  mkdirSync(out, { recursive: true });
  const device = rows.find((r) => ['dawn', 'page', 'webllm'].includes(r.section))?.device ?? environment.cpu;
  const slug = device.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 40);
  const base = join(out, `${when.slice(0, 10)}-${slug}`);
  if (rows.length) {
    if (!existsSync(`${base}.csv`)) writeFileSync(`${base}.csv`, `when,commit,dirty,load,${COLUMNS.join()}\n`);
    appendFileSync(`${base}.csv`, rows.map((r) => `${[when, environment.commit, environment.dirty, environment.loadBefore, ...COLUMNS.map((c) => r[c])].map(quote).join()}\n`).join(''));
  }
  const file = `${base}-${when.slice(11, 19).replaceAll(':', '')}.json`;
  writeFileSync(file, `${JSON.stringify({ environment: { ...environment, loadAfter: loadavg()[0] }, rows, raw }, null, 1)}\n`);
  console.log(`${rows.length} rows; raw figures in ${file}`);
}

process.once('SIGTERM', () => {
  console.log(`stopped before the end\n${lastSaid()}`);
  save();
  process.exit(1);
});
for (const section of sections) {
  try {
    raw[section] = await measure[section]();
  } catch (error) {
    raw[section] = { error: String(error) };
    console.log(`${section}: ${error}`);
    process.exitCode = 1;
  }
}
save();
process.exit(); // Dawn keeps the process alive
