// Errors as people need them: what happened, what helps, a button that does it.

import { byId, el } from './dom.js';

/** @typedef {{ label: string, act: () => void }} Remedy */

/** @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === 'AbortError';

/** @param {unknown} error @param {Remedy[]} remedies the first is the likeliest */
export function showError(error, remedies) {
  const { message, code } = /** @type {{ message?: string, code?: string }} */ (error ?? {});
  // The engine's messages read "what: where; what to do".
  const [what, ...help] = String(message ?? error).split('; ');
  const box = byId('error');
  box.replaceChildren(el('div', { class: 'error' },
    el('h2', {}, what.charAt(0).toUpperCase() + what.slice(1)),
    help.length > 0 && el('p', {}, `What helps: ${help.join('; ')}.`),
    code && el('p', { class: 'quiet' }, el('code', {}, code)),
    el('div', { class: 'row' },
      ...remedies.map(({ label, act }, i) => el('button', { class: `button${i === 0 ? ' primary' : ''}`, type: 'button', onclick: () => (clearError(), act()) }, label)),
      el('button', { class: 'button', type: 'button', onclick: clearError }, 'Dismiss'))));
  box.scrollIntoView({ block: 'nearest' });
}

export function clearError() {
  byId('error').replaceChildren();
}
