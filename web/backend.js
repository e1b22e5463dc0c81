// GPU or CPU: decided once, for the engine and for what pages say of a device.

import { fail, STATUS } from './errors.js';
import { openDevice } from './gpu/device.js';

/**
 * @param {'auto' | 'webgpu' | 'cpu'} backend 'auto' takes a real GPU: a software adapter computes on the same
 *   processor as the CPU backend, many times slower. 'webgpu' takes any
 * @returns {Promise<{ gpu: import('./gpu/device.js').OpenDevice | null, reason?: string }>} the device is the
 *   caller's to destroy; reason: why there is none although one was wanted
 */
export async function chooseGpu(backend) {
  if (backend === 'cpu') return { gpu: null };
  try {
    const gpu = await openDevice(navigator.gpu);
    if (backend === 'webgpu' || !gpu.info.fallback) return { gpu };
    gpu.device.destroy();
    throw fail(STATUS.E_NO_WEBGPU, `the only adapter is a software one, ${gpu.info.description || gpu.info.architecture}`);
  } catch (error) {
    if (backend === 'webgpu') throw error;
    return { gpu: null, reason: error instanceof Error ? error.message : String(error) };
  }
}
