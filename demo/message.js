// One message on the page: its text, its buttons, the box in which it is edited.

import { el, icon } from './dom.js';
import { MarkdownView } from './markdown.js';

const ICONS = {
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  again: 'M20 12a8 8 0 1 1-2.3-5.7M20 3v4h-4',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
};

/** @param {string} label @param {keyof typeof ICONS} name @param {() => void} onclick */
const action = (label, name, onclick) => el('button', { class: 'icon small', type: 'button', 'aria-label': label, title: label, onclick }, icon(ICONS[name]));

/** @param {string} text @param {HTMLElement} button */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add('done');
    setTimeout(() => button.classList.remove('done'), 1200);
  } catch {
    // No permission: nothing was copied, and the button does not claim it.
  }
}

/** @param {HTMLTextAreaElement} area grows with its text */
export function autosize(area) {
  const fit = () => {
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight}px`;
  };
  area.addEventListener('input', fit);
  return fit;
}

export class UserMessage {
  /** @param {string} text @param {(text: string) => void} onEdit */
  constructor(text, onEdit) {
    this.text = text;
    this.onEdit = onEdit;
    this.body = el('div', { class: 'text' }, text);
    this.actions = el('div', { class: 'actions' }, action('Edit', 'edit', () => this.edit()));
    this.node = el('article', { class: 'message user', 'aria-label': 'You' }, this.body, this.actions);
  }

  edit() {
    const area = /** @type {HTMLTextAreaElement} */ (el('textarea', { 'aria-label': 'Edit the message', value: this.text, rows: 1 }));
    const fit = autosize(area);
    const close = () => {
      form.remove();
      this.body.hidden = this.actions.hidden = false;
      this.actions.querySelector('button')?.focus();
    };
    const save = () => {
      const text = area.value.trim();
      if (text) this.onEdit(text);
    };
    const form = el('form', { class: 'edit', onsubmit: (/** @type {Event} */ e) => (e.preventDefault(), save()) },
      area,
      el('div', { class: 'row' },
        el('button', { class: 'button', type: 'button', onclick: close }, 'Cancel'),
        el('button', { class: 'button primary', type: 'submit' }, 'Ask again')));
    area.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        save();
      }
    });
    this.body.hidden = this.actions.hidden = true;
    this.node.append(form);
    fit();
    area.focus();
  }
}

export class AnswerMessage {
  text = '';
  #frame = 0;

  /** @param {() => void} onAgain @param {() => void} onShown after the text on the page has changed */
  constructor(onAgain, onShown) {
    this.onShown = onShown;
    this.body = el('div', { class: 'text markdown' });
    this.view = new MarkdownView(this.body);
    this.note = el('p', { class: 'quiet note', hidden: true });
    this.actions = el('div', { class: 'actions', hidden: true },
      action('Answer again', 'again', onAgain),
      action('Copy', 'copy', () => copy(this.text, /** @type {HTMLElement} */ (this.actions.lastElementChild))));
    this.node = el('article', { class: 'message answer streaming', 'aria-label': 'Answer', 'aria-busy': 'true' }, this.body, this.note, this.actions);
  }

  /** @param {string} text that came */
  add(text) {
    this.text += text;
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.view.update(this.text);
    this.onShown();
  }

  /** @param {string} [note] */
  finish(note) {
    this.#show();
    this.note.textContent = note ?? '';
    this.note.hidden = !note;
    this.actions.hidden = false;
    this.node.classList.remove('streaming');
    this.node.removeAttribute('aria-busy');
    for (const pre of this.body.querySelectorAll('pre')) {
      const button = action('Copy the code', 'copy', () => copy(pre.querySelector('code')?.textContent ?? '', button));
      pre.append(button);
    }
    this.onShown();
  }
}
