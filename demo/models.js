// The model picker: what there is, how big it is, what fits this device, what is kept here already.

import { catalog, deleteModel, deviceReport, storedModels } from '../web/index.js';
import { announce, byId, el } from './dom.js';
import * as format from './format.js';

/** @typedef {Awaited<ReturnType<typeof deviceReport>>} Device */
/** @typedef {Pick<import('../web/catalog.js').CatalogEntry, 'name' | 'about'> & { id: string, bytes?: number, parameters?: number, licence?: string }} Row */

const BIG = 'qwen2.5-0.5b';
const WASM_LIMIT = 3.6e9; // of the 4 GiB that WebAssembly can address

/** The larger model that stands one click away. */
export const bigger = /** @type {import('../web/catalog.js').CatalogEntry} */ (catalog.find((m) => m.id === BIG));

/** Memory that a model needs while it runs: weights, keys and values, work space. @param {number} bytes of weights */
export const memoryNeed = (bytes) => bytes * 1.2 + 96e6;

/**
 * @param {number} bytes of the download @param {Device} device
 * @returns {{ verdict: 'fits' | 'tight' | 'slow' | 'too-big', text: string }}
 */
export function fits(bytes, device) {
  const need = memoryNeed(bytes);
  const about = `about ${format.bytes(need)} of memory`;
  if (!device.webgpu && need > WASM_LIMIT) return { verdict: 'too-big', text: `Too big without WebGPU: ${about}, and 4\u00a0GB at most` };
  if (device.memory && need > 0.8 * device.memory) return { verdict: 'too-big', text: `Too big for this device: ${about} of ${format.bytes(device.memory)}` };
  if (device.memory && need > 0.4 * device.memory) return { verdict: 'tight', text: `Tight on this device: ${about} of ${format.bytes(device.memory)}` };
  if (!device.webgpu && bytes > 4e8) return { verdict: 'slow', text: `Slow without WebGPU, ${about}` };
  if (device.quota && bytes > device.quota - device.usage) return { verdict: 'tight', text: `Fits, ${about}, but this browser has no room to keep it` };
  return { verdict: 'fits', text: `Fits this device, ${about}` };
}

/** @param {Device} device */
function describe(device) {
  const memory = device.memory ? ` Memory: ${device.memory >= 8 * 2 ** 30 ? '8\u00a0GB or more' : format.bytes(device.memory)}.` : '';
  if (!device.webgpu) return `This device: no WebGPU (${format.cause(device.reason ?? 'no reason given')}), so models run on the CPU.${memory}`;
  const name = [device.device.description, device.device.device, device.device.architecture, device.device.vendor].find((s) => typeof s === 'string' && s);
  return `This device: WebGPU${name ? ` (${name})` : ''}.${memory}`;
}

export class Models {
  /** @type {Device | null} */
  #device = null;
  /** @type {Record<string, number>} */
  #stored = {};
  /** @type {Row[]} */
  #extra = [];
  #load;

  /** @param {(model: string, name: string) => void} load */
  constructor(load) {
    this.#load = load;
  }

  /** A model named in the page's address. @param {string} url */
  add(url) {
    this.#extra = [{ id: url, name: decodeURIComponent(url.split('/').findLast((part) => part) ?? url), about: 'The model that this page\'s address names.' }];
  }

  async refresh() {
    this.#show();
    this.#device ??= await deviceReport();
    byId('device').textContent = describe(this.#device);
    this.#show();
    this.#stored = await storedModels([...this.#extra, ...catalog].map((m) => m.id));
    this.#show();
  }

  #show() {
    const focus = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.key;
    byId('models').replaceChildren(...this.#extra.map((m) => this.#row(m)), this.#row(catalog[0]), this.#row(bigger));
    byId('more-models').replaceChildren(...catalog.filter((m, i) => i > 0 && m !== bigger).map((m) => this.#row(m)));
    if (focus) /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(focus)}"]`))?.focus();
  }

  /** @param {Row} m */
  #row(m) {
    const kept = this.#stored[m.id] ?? 0;
    const fit = m.bytes && this.#device ? fits(m.bytes, this.#device) : null;
    const first = m.id === (this.#extra[0] ?? catalog[0]).id;
    const facts = [m.bytes && format.bytes(m.bytes), m.parameters && `${format.parameters(m.parameters)} parameters`, m.licence].filter((f) => f);
    return el('li', {},
      el('div', { class: 'what' },
        el('h3', {}, m.name),
        el('p', {}, m.about),
        el('p', { class: 'quiet numbers' }, ...facts.map((f) => el('span', {}, String(f)))),
        el('p', { class: 'quiet' },
          fit && el('span', { class: `fit ${fit.verdict}` }, fit.text),
          kept > 0 && el('span', { class: 'kept' }, m.bytes && kept < 0.9 * m.bytes ? `${format.bytes(kept)} kept in this browser` : 'Kept in this browser'),
          kept > 0 && el('button', { class: 'link', type: 'button', 'aria-label': `Delete ${m.name} from this browser`, onclick: () => this.#delete(m) }, 'Delete')),
      ),
      el('button', {
        class: `button${first ? ' primary' : ''}`, type: 'button', dataset: { model: m.id, key: m.id },
        'aria-label': `Load ${m.name}${m.bytes ? `, ${format.bytes(m.bytes)}` : ''}`,
        onclick: () => this.#load(m.id, m.name),
      }, 'Load'));
  }

  /** @param {Row} m */
  async #delete(m) {
    await deleteModel(m.id);
    announce(`${m.name} was deleted from this browser`);
    await this.refresh();
    /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(m.id)}"]`))?.focus();
  }
}
