// WebGPU for Node: Dawn, through the npm package `webgpu`. Without a GPU driver of its own the machine may
// still have Chromium's software adapter, which is used then.

import { existsSync } from 'node:fs';

import { openDevice } from '../web/gpu/device.js';
import { fail, STATUS } from '../web/errors.js';

const SOFTWARE = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome'];
const RTLD_NOW_GLOBAL_NODELETE = 0x1102;

/** Makes a Vulkan loader and a software driver known to Dawn, where the system has none.
 *  @returns {boolean} whether the software driver will be used */
function findVulkan() {
  if (process.platform !== 'linux') return false;
  const folder = SOFTWARE.find((f) => existsSync(`${f}/vk_swiftshader_icd.json`));
  const system = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'].some(existsSync);
  if (!folder) return false;
  if (!system && !process.env.VK_DRIVER_FILES && !process.env.VK_ICD_FILENAMES) {
    process.env.VK_DRIVER_FILES = `${folder}/vk_swiftshader_icd.json`;
  }
  const software = /swiftshader/.test(process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES ?? '');
  const loaders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'];
  if (loaders.some((l) => existsSync(`${l}/libvulkan.so.1`))) return software;
  try {
    // Loads the library for good; that it is no Node addon is reported afterwards.
    process.dlopen({ exports: {} }, `${folder}/libvulkan.so.1`, RTLD_NOW_GLOBAL_NODELETE);
  } catch {
    // Expected; Dawn says whether it found Vulkan.
  }
  return software;
}

/** @type {GPU | undefined} the one instance: Dawn must not be collected while devices live */
let gpu;

/** @param {{ features?: readonly string[] }} [options] see openDevice */
export async function openNodeDevice(options) {
  if (!gpu) {
    const software = findVulkan();
    let dawn;
    try {
      dawn = await import('webgpu');
    } catch (error) {
      throw fail(STATUS.E_NO_WEBGPU, 'the npm package "webgpu" is not installed', error);
    }
    // Unsafe APIs: f16 on drivers that Dawn does not trust by default, and exact timestamps.
    const toggles = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];
    // SwiftShader compiles the zeroing of workgroup memory to one store per word, which takes seconds per
    // pipeline; no kernel relies on the zeros.
    if (software) toggles.push('disable_workgroup_init');
    gpu = dawn.create([`enable-dawn-features=${toggles.join(',')}`]);
  }
  return openDevice(gpu, options);
}
