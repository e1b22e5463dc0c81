// What the user chose, kept in this browser: the system prompt, sampling, the engine's options, the theme.

import { byId } from './dom.js';

const KEY = 'quern.settings';
const NUMBERS = /** @type {const} */ (['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'max_tokens', 'seed', 'context']);

/**
 * @typedef {object} Settings
 * @property {string} system
 * @property {'auto' | 'webgpu' | 'cpu'} backend
 * @property {'auto' | 'light' | 'dark'} theme
 * @property {Partial<Record<typeof NUMBERS[number], number>>} numbers missing: as the model's author recommends
 */

/** @type {Settings} */
export const settings = { system: '', backend: 'auto', theme: 'auto', numbers: {} };

const form = /** @type {HTMLFormElement} */ (byId('settings-form'));
const dialog = /** @type {HTMLDialogElement} */ (byId('settings'));
const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (typeof kept.system === 'string') settings.system = kept.system;
    if (['auto', 'webgpu', 'cpu'].includes(kept.backend)) settings.backend = kept.backend;
    if (['auto', 'light', 'dark'].includes(kept.theme)) settings.theme = kept.theme;
    for (const name of NUMBERS) if (Number.isFinite(kept.numbers?.[name])) settings.numbers[name] = kept.numbers[name];
  } catch {
    // Storage may be switched off or hold something else: the defaults do.
  }
}

function write() {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Kept for this visit only.
  }
}

function toForm() {
  field('system').value = settings.system;
  field('backend').value = settings.backend;
  for (const name of NUMBERS) field(name).value = String(settings.numbers[name] ?? '');
}

function fromForm() {
  settings.system = field('system').value;
  settings.backend = /** @type {Settings['backend']} */ (field('backend').value);
  for (const name of NUMBERS) {
    const { value, validity } = field(name);
    if (value.trim() === '') delete settings.numbers[name];
    else if (validity.valid) settings.numbers[name] = Number(value);
  }
  write();
}

/** What a chat request takes from here. @param {number} attempt 0, or how often this answer was asked for again */
export function requestSettings(attempt) {
  const { context, seed, ...sampling } = settings.numbers;
  // A fixed seed would give the same answer again: each further attempt has its own, just as fixed.
  return { ...sampling, ...(seed === undefined ? {} : { seed: (seed + attempt) % 2 ** 32 }) };
}

// ---- theme

const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);
const THEME_NAMES = { auto: 'as the system', light: 'light', dark: 'dark' };

function showTheme() {
  const { theme } = settings;
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId('theme').setAttribute('aria-label', `Theme: ${THEME_NAMES[theme]}`);
  byId('theme').title = `Theme: ${THEME_NAMES[theme]}`;
}

export function startSettings() {
  read();
  showTheme();
  byId('theme').addEventListener('click', () => {
    settings.theme = THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length];
    write();
    showTheme();
  });
  byId('open-settings').addEventListener('click', () => {
    toForm();
    dialog.showModal();
  });
  byId('close-settings').addEventListener('click', () => dialog.close());
  byId('reset-settings').addEventListener('click', () => {
    Object.assign(settings, { system: '', backend: 'auto', numbers: {} });
    toForm();
    write();
  });
  form.addEventListener('input', fromForm);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
}
