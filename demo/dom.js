// Building the page from nodes: the only way in which this page makes markup.

/** @typedef {Node | string | null | undefined | false} Child unwanted ones are left out */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [props] `on…` listeners, `class`, `dataset`; properties where the element has
 *   one of that name, attributes else
 * @param {...Child} content
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...content) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else if (key === 'class') node.className = String(value);
    else if (key === 'dataset') Object.assign(node.dataset, value);
    else if (key in node && !key.includes('-')) /** @type {any} */ (node)[key] = value;
    else node.setAttribute(key, String(value));
  }
  node.append(...children(...content));
  return node;
}

/** Without those that are not wanted. @param {...Child} content @returns {(Node | string)[]} */
export const children = (...content) => content.flatMap((c) => (c === null || c === undefined || c === false ? [] : [c]));

/** The element that index.html has under this id. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no #${id}`);
  return node;
}

/** Says something to screen readers, once, without moving the focus. @param {string} text */
export function announce(text) {
  const box = byId('announce');
  box.textContent = '';
  // A change in a later task is announced even when the text is the same.
  setTimeout(() => (box.textContent = text), 60);
}

/** A line icon. @param {string} path in a box of 24 by 24 */
export function icon(path) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(ns, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}
