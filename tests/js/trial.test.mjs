// The self-test of a start on a real WebGPU (Dawn): a device that passes says nothing, one that computes a variant wrongly or
// does not compile it does without, and gives the same tokens.

import assert from 'node:assert/strict';
import test from 'node:test';

import { askFresh, closeDevices, gpuDevice, openEngine } from './lib/models.mjs';

const MODEL = 'tests/data/tiny_hf';
const NIBBLES = 'tests/data/tiny_mlc'; // whose products can be of bytes
const IDS = [3, 40, 7, 19, 22, 5];

/** @type {Awaited<ReturnType<typeof gpuDevice>> | undefined} */
let gpu;
let skip = '';
try {
  gpu = await gpuDevice(['subgroups']);
  if (!gpu.caps.features.includes('subgroups')) skip = 'skipped: no subgroups';
} catch (error) {
  skip = `skipped: ${/** @type {Error} */ (error).message}`;
}
test.after(closeDevices);

/** The device, whose shaders a bad driver changes. @param {(code: string) => string} change */
function badly(change) {
  const { device, caps, info } = /** @type {NonNullable<typeof gpu>} */ (gpu);
  const bad = new Proxy(device, {
    get(target, name) {
      if (name === 'createShaderModule') return (/** @type {GPUShaderModuleDescriptor} */ d) => target.createShaderModule({ ...d, code: change(d.code) });
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device: /** @type {GPUDevice} */ (bad), caps, info };
}

/** @param {NonNullable<typeof gpu> | null} on */
async function start(on, model = MODEL) {
  const engine = await openEngine(model, { gpu: on });
  try {
    const { ids } = await askFresh(engine, IDS, { maxTokens: 6 });
    return { ids, variants: /** @type {any} */ (engine.core.info()).variants };
  } finally {
    engine.close();
  }
}

test('the self-test', { skip: skip || false }, async (t) => {
  const { ids: expected, variants: none } = await start(null);
  assert.equal(none, undefined);
  await t.test('passes where nothing is wrong', async () => {
    const { ids, variants } = await start(/** @type {NonNullable<typeof gpu>} */ (gpu));
    assert.deepEqual(ids, expected);
    assert.ok(variants.kernels.includes('matvec_subgroups') && variants.tested > 0, JSON.stringify(variants));
    assert.equal(variants.note, '');
  });
  await t.test('measures, where asked to, remembers, and answers the same', async (measures) => {
    const { device, caps, info } = await gpuDevice(['subgroups', 'packed-dot']);
    if (!caps.features.includes('packed-dot')) return measures.skip('no packed products here');
    const plain = await start(null, NIBBLES);
    const first = await start({ device, info, caps: { ...caps, tune: true } }, NIBBLES);
    const { choice, kernels, note } = first.variants;
    assert.deepEqual(first.ids, plain.ids);
    assert.ok(choice.measured < 16 && choice.kernels && choice.tile <= 9 && note === '', JSON.stringify(first.variants));
    assert.ok([0, 16, 128].includes(choice.without) && kernels.includes('matvec_dot') === (choice.without !== 16), JSON.stringify(first.variants));
    const told = { measured: 15, kernels: choice.kernels, fill: 24, tile: 2, without: 16 };
    const known = await start({ device, info, caps: { ...caps, tune: true, ...told } }, NIBBLES);
    assert.deepEqual(known.ids, plain.ids);
    assert.ok(known.variants.kernels.includes('matvec_subgroups') && !known.variants.kernels.includes('matvec_dot'), JSON.stringify(known.variants));
    assert.deepEqual([known.variants.tuned, known.variants.choice], [false, told]);
    const other = await start({ device, info, caps: { ...caps, ...told, kernels: 1 } }, NIBBLES); // another version's
    assert.deepEqual([other.variants.choice.measured, other.variants.choice.without, other.variants.kernels.includes('matvec_dot')], [0, 0, true]);
  });
  await t.test('does without a variant that computes wrongly', async () => {
    const { ids, variants } = await start(badly((code) => code.replace('subgroupShuffleXor(', '2.0*subgroupShuffleXor(')));
    assert.deepEqual(ids, expected);
    assert.ok(variants.kernels.includes('matvec') && !variants.kernels.includes('matvec_subgroups'), JSON.stringify(variants));
    assert.match(variants.note, /^self-test of matvec: wrong results/);
  });
  await t.test('does without a variant that does not compile', async () => {
    const { ids, variants } = await start(badly((code) => code.replace('subgroupShuffleXor', 'noSuchBuiltin')));
    assert.deepEqual(ids, expected);
    assert.ok(!variants.kernels.includes('matvec_subgroups'), JSON.stringify(variants));
    assert.match(variants.note, /^self-test of /);
  });
  await t.test('refuses a device whose every variant is wrong', async () => {
    const bad = badly((code) => code.replace('@compute @workgroup_size(THREADS)', '@compute @workgroup_size(1)'));
    await assert.rejects(start(bad), /self-test of mat/);
  });
});
