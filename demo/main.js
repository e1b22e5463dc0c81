// Wires the page together.
//
// In the address: ?model=URL puts a model of this origin first in the list (a .gguf file or a folder),
// nothing is loaded before somebody asks for it; ?backend=webgpu|cpu|auto chooses for this visit.

import { Chat } from './chat.js';
import { announce, byId, children, el } from './dom.js';
import { clearError, isAbort, showError } from './errors.js';
import { startFiles } from './files.js';
import * as format from './format.js';
import { cancelLoading, loadEngine } from './load.js';
import { autosize } from './message.js';
import { bigger, Models } from './models.js';
import { Offline } from './offline.js';
import { settings, startSettings } from './settings.js';
import { deviceName, showEngine, showMemory, startStats } from './stats.js';

const STARTERS = ['Tell me a story about a fox who finds a key.', 'Why is the sky blue?', 'What is the capital of Italy?'];
const root = document.documentElement;

/** @type {import('../web/index.js').Engine | null} */
let engine = null;
let loads = 0;
/** @type {{ model: string | File[], name: string } | null} what the engine holds */
let current = null;

const models = new Models((model, name) => load(model, name));
const offline = new Offline();
const chat = new Chat((error) => {
  const held = current;
  showError(error, held ? [
    { label: 'Load the model again', act: () => load(held.model, held.name) },
    { label: 'Load it on the CPU', act: () => load(held.model, held.name, 'cpu') },
  ] : []);
});

/** @param {'start' | 'chat'} view */
function show(view) {
  root.dataset.view = view;
  byId('main').scrollTop = 0;
}

/** @param {string | File[]} model @param {string} name @param {'auto' | 'webgpu' | 'cpu'} [backend] */
async function load(model, name, backend) {
  unload();
  clearError();
  root.dataset.view = 'loading';
  const turn = ++loads;
  try {
    engine = await loadEngine(model, name, backend, (ready) => offline.loaded(ready, typeof model === 'string' ? model : null));
  } catch (error) {
    if (turn !== loads) return; // another load has taken over
    offline.unloaded();
    show('start');
    models.refresh();
    if (isAbort(error)) return byId('models').querySelector('button')?.focus();
    const again = { label: 'Try again', act: () => load(model, name, backend) };
    const cpu = { label: 'Use the CPU instead', act: () => load(model, name, 'cpu') };
    const gpu = /_GPU|WEBGPU|INTERNAL/.test(String(/** @type {{ code?: string }} */ (error ?? {}).code)) && backend !== 'cpu';
    return showError(error, gpu ? [cpu, again] : [again]);
  }
  current = { model, name };
  root.dataset.engine = engine.info.backend;
  chat.use(engine);
  showEngine(engine.info);
  showIntro(name);
  byId('model-chip').textContent = name;
  show('chat');
  byId('input').focus();
  announce(`${name} is ready, on the ${engine.info.backend === 'webgpu' ? 'GPU' : 'CPU'}`);
  engine.memory().then(showMemory, () => {});
}

function unload() {
  chat.use(null);
  engine?.dispose();
  engine = null;
  delete root.dataset.engine;
  offline.unloaded();
}

/** What stands above the first question. @param {string} name */
function showIntro(name) {
  const { info } = /** @type {import('../web/index.js').Engine} */ (engine);
  const small = current?.model === 'grist';
  byId('intro').replaceChildren(...children(
    el('h1', {}, name),
    el('p', { class: 'lead' }, small
      ? 'This is a small demonstration model. It tells short stories, answers simple questions in English, and is often wrong.'
      : `${format.parameters(info.parameters)} parameters, ${info.quantization}, on this device.`),
    info.backend === 'cpu' && el('p', { id: 'backend-note', class: 'notice' },
      settings.backend === 'cpu' || !info.reason ? `It runs on the CPU (${deviceName(info)}).` : `There is no WebGPU to use here (${format.cause(info.reason)}): it runs on the CPU, with ${deviceName(info).replace('CPU, ', '')}.`),
    small && el('p', { class: 'row' },
      el('button', { id: 'bigger', class: 'button', type: 'button', onclick: () => load(bigger.id, bigger.name) }, `Load ${bigger.name} from the hub (${format.bytes(bigger.bytes)})`)),
    small && el('ul', { class: 'starters', 'aria-label': 'Things to ask' }, ...STARTERS.map((text) => el('li', {}, el('button', { type: 'button', onclick: () => chat.ask(text) }, text)))),
  ));
}

function startComposer() {
  const input = /** @type {HTMLTextAreaElement} */ (byId('input'));
  const fit = autosize(input);
  const send = () => {
    const text = input.value.trim();
    if (!text || chat.busy) return;
    input.value = '';
    fit();
    chat.ask(text);
  };
  byId('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  byId('stop').addEventListener('click', () => chat.stop());
  byId('new-chat').addEventListener('click', () => {
    chat.clear();
    input.focus();
    announce('New chat');
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
    if (root.dataset.view === 'loading') cancelLoading();
    else chat.stop();
  });
  // One button at a time: Send while idle, Stop while an answer comes.
  new MutationObserver(() => {
    const busy = chat.busy;
    const lost = document.activeElement === byId(busy ? 'send' : 'stop');
    byId('send').hidden = busy;
    byId('stop').hidden = !busy;
    if (lost) byId(busy ? 'stop' : 'input').focus();
  }).observe(root, { attributeFilter: ['data-busy'] });
}

function startPicker() {
  const address = new URLSearchParams(location.search);
  const backend = address.get('backend');
  if (backend === 'webgpu' || backend === 'cpu' || backend === 'auto') settings.backend = backend;
  const wanted = address.get('model');
  if (wanted) {
    const url = new URL(wanted, location.href);
    if (url.origin === location.origin) models.add(url.href);
  }
  byId('by-name').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = /** @type {HTMLInputElement} */ (byId('name')).value.trim();
    if (name) load(name, name.replace(/^hf:/, ''));
  });
  byId('cancel').addEventListener('click', cancelLoading);
  byId('model-chip').addEventListener('click', () => {
    show('start');
    models.refresh();
    byId('models').querySelector('button')?.focus();
  });
  byId('back').addEventListener('click', () => {
    show('chat');
    byId('input').focus();
  });
  startFiles((files, name) => load(files, name));
}

startSettings();
startStats();
startComposer();
startPicker();
offline.start();
models.refresh();
root.dataset.ready = '';
