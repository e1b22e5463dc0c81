// Opens a GPU device with what the adapter offers, and says to the engine what it may use.

import { fail, STATUS } from '../errors.js';

/** Features that the engine has variants for (enum qn_gpu_feature). */
export const FEATURES = /** @type {const} */ (['shader-f16', 'subgroups', 'timestamp-query', 'subgroup-size-control']);
/** One more, which is no feature of a device: products of four bytes, where the hardware has them and subgroups. */
const PACKED_DOT = 'packed-dot';
/** Another: one step computes several rows, each as if alone, in less time than one after the other; on software adapters it does not. */
const ROWS = 'rows';

/** An experimental feature (Dawn, behind a flag): used where its matrices are those of matmul_matrix.wgsl. */
const MATRIX = 'chromium-experimental-subgroup-matrix';

/** @param {any} info an adapter's: products of 16 × 16 × 16, float16 to float32, in subgroups of 32 */
function hasMatrix(info) {
  const configs = /** @type {any[]} */ ([...(info?.subgroupMatrixConfigs ?? [])]);
  const size = info?.subgroupMinSize === 32 && info.subgroupMaxSize === 32;
  return size && configs.some((c) => c.componentType === 'f16' && c.resultComponentType === 'f32' && c.M === 16 && c.N === 16 && c.K === 16);
}

/** Limits that are raised from the specification's defaults to what the adapter has, and the engine's names. */
const LIMITS = /** @type {const} */ ({
  maxBinding: 'maxStorageBufferBindingSize',
  maxBuffer: 'maxBufferSize',
  maxStorageBuffers: 'maxStorageBuffersPerShaderStage',
  maxWorkgroupMemory: 'maxComputeWorkgroupStorageSize',
  maxInvocations: 'maxComputeInvocationsPerWorkgroup',
  maxWorkgroups: 'maxComputeWorkgroupsPerDimension',
});

/**
 * @typedef {object} GpuCaps struct qn_gpu_caps, as the engine's options have it
 * @property {string[]} features
 * @property {number} maxBinding bytes
 * @property {number} maxBuffer bytes
 * @property {number} maxStorageBuffers
 * @property {number} maxWorkgroupMemory bytes
 * @property {number} maxInvocations
 * @property {number} maxWorkgroups
 * @property {number} subgroupMin 0: unknown
 * @property {number} subgroupMax
 * @property {boolean} [tune] measure, once the self-test has passed, what suits the GPU better, unless the rest says it
 * @property {boolean} selfTest compare kernels with what they should give, while weights arrive
 */

/**
 * What was measured, as info() says it after one start and caps say it at the next.
 * @typedef {object} Choice
 * @property {number} measured bits: products of bytes 1, tiles of them 2, shapes of tiles 4, fill 8
 * @property {number} kernels of which texts, a hash
 * @property {number} fill tiles of a product that occupy the GPU; 0: not known
 * @property {number} tile number of a shape of tiles; 0: the engine's own choice
 * @property {number} without features that are slower than what there is without them (enum qn_gpu_feature)
 */

/**
 * @typedef {object} OpenDevice
 * @property {GPUDevice} device the caller's to destroy
 * @property {GpuCaps} caps
 * @property {{ vendor: string, architecture: string, device: string, description: string, fallback: boolean }} info
 */

/** Whether an adapter computes on the processor. @param {GPUAdapterInfo} info */
const isSoftware = (info) => /swiftshader|llvmpipe|basic render/i.test(`${info?.architecture} ${info?.description}`);

/**
 * @param {GPU | undefined} gpu navigator.gpu, or Dawn's
 * @param {object} [options]
 * @param {readonly string[]} [options.features] use these at most; without it all that there are. With an empty
 *   list the limits stay the specification's defaults too: the device of the smallest conforming machine
 * @returns {Promise<OpenDevice>}
 */
export async function openDevice(gpu, { features } = {}) {
  if (!gpu) throw fail(STATUS.E_NO_WEBGPU, 'this environment has no navigator.gpu');
  const adapter = (await gpu.requestAdapter({ powerPreference: 'high-performance' })) ?? (await gpu.requestAdapter());
  if (!adapter) throw fail(STATUS.E_NO_WEBGPU, 'no adapter was found');
  /** @type {string[]} */
  const offered = [...FEATURES, ...(hasMatrix(adapter.info) ? [MATRIX] : [])];
  const wanted = offered.filter((f) => adapter.features.has(/** @type {GPUFeatureName} */ (f)) && (features === undefined || features.includes(f)));
  const minimal = features !== undefined && features.length === 0;
  /** @type {Record<string, number>} */
  const requiredLimits = {};
  if (!minimal) for (const name of Object.values(LIMITS)) requiredLimits[name] = adapter.limits[name];
  let device;
  try {
    // A feature of this list may be unknown to the type definitions of the day.
    device = await adapter.requestDevice({ requiredFeatures: /** @type {GPUFeatureName[]} */ ([...wanted]), requiredLimits, label: 'quern' });
  } catch (error) {
    throw fail(STATUS.E_NO_WEBGPU, `the adapter gives no device: ${error instanceof Error ? error.message : error}`, error);
  }
  const { info } = adapter;
  // Apple's GPUs and software adapters have no such instruction; emulated it would be slower than floats.
  const software = isSoftware(info);
  const dot = gpu.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product') && wanted.includes('subgroups') && info?.vendor !== 'apple';
  if (dot && (features === undefined ? !software : features.includes(PACKED_DOT))) wanted.push(PACKED_DOT);
  if (features === undefined ? !software : features.includes(ROWS)) wanted.push(ROWS);
  return {
    device,
    caps: {
      features: wanted,
      maxBinding: device.limits.maxStorageBufferBindingSize,
      maxBuffer: device.limits.maxBufferSize,
      maxStorageBuffers: device.limits.maxStorageBuffersPerShaderStage,
      maxWorkgroupMemory: device.limits.maxComputeWorkgroupStorageSize,
      maxInvocations: device.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
      subgroupMin: info?.subgroupMinSize ?? 0,
      subgroupMax: info?.subgroupMaxSize ?? 0,
      selfTest: true,
    },
    info: {
      vendor: info?.vendor ?? '',
      architecture: info?.architecture ?? '',
      device: info?.device ?? '',
      description: info?.description ?? '',
      fallback: software,
    },
  };
}
