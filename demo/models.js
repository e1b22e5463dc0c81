// The model picker: what there is, how big it is, what fits this device, what is kept here already.

import { catalog, deleteModel, deviceReport, storedModels } from '../web/index.js';
import { announce, byId, children, el } from './dom.js';
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
  if (!device.webgpu) return `This device: no WebGPU to use (${format.cause(device.reason ?? 'no reason given')}), so models run on the CPU.${memory}`;
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
  /** @type {Map<Row, HTMLElement>} rows stay; only what is said of them changes */
  #notes = new Map();
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
    if (this.#notes.size === 0) this.#build();
    this.#device ??= await deviceReport();
    byId('device').textContent = describe(this.#device);
    this.#note();
    this.#stored = await storedModels([...this.#notes.keys()].map((m) => m.id));
    this.#note();
  }

  #build() {
    byId('models').append(...[...this.#extra, catalog[0], bigger].map((m) => this.#row(m)));
    byId('more-models').append(...catalog.filter((m, i) => i > 0 && m !== bigger).map((m) => this.#row(m)));
  }

  /** @param {Row} m */
  #row(m) {
    const first = m === (this.#extra[0] ?? catalog[0]);
    const facts = [m.bytes && format.bytes(m.bytes), m.parameters && `${format.parameters(m.parameters)} parameters`, m.licence].filter((f) => f);
    const note = el('p', { class: 'quiet' });
    this.#notes.set(m, note);
    return el('li', {},
      el('div', { class: 'what' },
        el('h3', {}, m.name),
        el('p', {}, m.about),
        el('p', { class: 'quiet numbers' }, ...facts.map((f) => el('span', {}, String(f)))),
        note),
      el('button', {
        class: `button${first ? ' primary' : ''}`, type: 'button', dataset: { model: m.id },
        'aria-label': `Load ${m.name}${m.bytes ? `, ${format.bytes(m.bytes)}` : ''}`,
        onclick: () => this.#load(m.id, m.name),
      }, 'Load'));
  }

  /** What is known by now: what fits, what is kept. */
  #note() {
    for (const [m, note] of this.#notes) {
      const kept = this.#stored[m.id] ?? 0;
      const fit = m.bytes && this.#device ? fits(m.bytes, this.#device) : null;
      note.replaceChildren(...children(
        fit && el('span', { class: `fit ${fit.verdict}` }, fit.text),
        kept > 0 && el('span', { class: 'kept' }, m.bytes && kept < 0.9 * m.bytes ? `${format.bytes(kept)} kept in this browser` : 'Kept in this browser'),
        kept > 0 && el('button', { class: 'link', type: 'button', 'aria-label': `Delete ${m.name} from this browser`, onclick: () => this.#delete(m) }, 'Delete')));
    }
  }

  /** @param {Row} m */
  async #delete(m) {
    await deleteModel(m.id);
    announce(`${m.name} was deleted from this browser`);
    await this.refresh();
    /** @type {HTMLElement | null} */ (document.querySelector(`[data-model="${CSS.escape(m.id)}"]`))?.focus();
  }
}
