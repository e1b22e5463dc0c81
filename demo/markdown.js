// Markdown → DOM nodes, safe by construction: text becomes text nodes, elements come from a fixed list,
// the only address is an http(s) link, and no markup string is ever parsed by the browser.

import { parseInline, safeUrl } from './inline.js';

/** @typedef {import('./inline.js').Tree} Tree */

const DEPTH = 12; // nested quotes and lists; deeper ones are shown as text
const TAGS = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'pre', 'code', 'em', 'strong', 'del', 'a', 'br', 'hr',
  'blockquote', 'table', 'thead', 'tbody', 'tr', 'th', 'td']);

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** @param {string} line */
const starts = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

/** @param {string[]} lines @param {number} i @returns {boolean} */
const tableAt = (lines, i) => lines[i].includes('|') && i + 1 < lines.length && lines[i + 1].includes('-') && TABLE_RULE.test(lines[i + 1]) &&
  cells(lines[i]).length === cells(lines[i + 1]).length;

/** @param {string[]} lines @param {number} i @returns {number} the line after the block that begins at i */
function blockEnd(lines, i) {
  const fence = FENCE.exec(lines[i]);
  if (fence) {
    const close = new RegExp(`^ {0,3}\\${fence[1][0]}{${fence[1].length},}\\s*$`);
    let end = i + 1;
    while (end < lines.length && !close.test(lines[end])) end++;
    return Math.min(end + 1, lines.length);
  }
  if (HEADING.test(lines[i]) || RULE.test(lines[i])) return i + 1;
  let end = i + 1;
  if (QUOTE.test(lines[i])) {
    while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || !starts(lines[end]))) end++;
    return end;
  }
  const item = ITEM.exec(lines[i]);
  if (item) return listEnd(lines, i, item);
  if (tableAt(lines, i)) {
    end = i + 2;
    while (end < lines.length && lines[end].trim() && !starts(lines[end])) end++;
    return end;
  }
  // A number interrupts a paragraph only when it is 1: "in the year\n1984." is no list.
  const interrupts = (/** @type {number} */ k) => (starts(lines[k]) && !/^ {0,3}(?!1[.)])\d/.test(lines[k])) || tableAt(lines, k);
  while (end < lines.length && lines[end].trim() && !interrupts(end)) end++;
  return end;
}

/** @param {string} marker */
const kind = (marker) => (/\d/.test(marker) ? `1${marker.at(-1)}` : marker);

/** @param {string[]} lines @param {number} i @param {RegExpExecArray} first */
function listEnd(lines, i, first) {
  let indent = first[0].length;
  let end = i + 1;
  for (let k = i + 1; k < lines.length; k++) {
    const line = lines[k];
    if (!line.trim()) continue; // belongs to the list when something of it follows
    const item = ITEM.exec(line);
    const inside = line.search(/\S/) >= Math.min(indent, first[1].length + 2);
    if (item && kind(item[2]) === kind(first[2]) && !RULE.test(line)) indent = item[0].length;
    else if (!inside && (end < k || starts(line))) break; // after an empty line, or another block
    end = k + 1;
  }
  return end;
}

/** @param {string} line @returns {string[]} */
function cells(line) {
  const parts = [''];
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\' && line[i + 1] === '|') parts[parts.length - 1] += line[++i];
    else if (line[i] === '|') parts.push('');
    else parts[parts.length - 1] += line[i];
  }
  if (!parts[0].trim()) parts.shift();
  if (parts.length && !parts[parts.length - 1].trim()) parts.pop();
  return parts.map((p) => p.trim());
}

/** @param {string[]} lines @returns {Tree} */
function table(lines) {
  const align = cells(lines[1]).map((c) => (c.endsWith(':') ? (c.startsWith(':') ? 'center' : 'right') : ''));
  const row = (/** @type {string} */ line, /** @type {string} */ tag) => {
    const found = cells(line);
    return { tag: 'tr', children: align.map((a, i) => ({ tag, attrs: a ? { class: a } : undefined, children: parseInline(found[i] ?? '') })) };
  };
  return {
    tag: 'table',
    children: [
      { tag: 'thead', children: [row(lines[0], 'th')] },
      { tag: 'tbody', children: lines.slice(2).map((line) => row(line, 'td')) },
    ],
  };
}

/** @param {string[]} lines @param {number} depth @returns {Tree} */
function list(lines, depth) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[0]));
  /** @type {string[][]} */
  const items = [];
  let indent = 0;
  for (const line of lines) {
    const item = ITEM.exec(line);
    const own = item && (items.length === 0 || item[1].length < Math.min(indent, first[1].length + 2)) && kind(item[2]) === kind(first[2]);
    if (own && item) {
      // A code block within an item has more spaces after the marker: those are its own.
      indent = item[3].length > 4 ? item[0].length - item[3].length + 1 : item[0].length;
      items.push([line.slice(indent)]);
    } else {
      const spaces = line.search(/\S|$/);
      items[items.length - 1].push(line.slice(Math.min(spaces, indent)));
    }
  }
  const loose = lines.slice(0, -1).some((line, i) => !line.trim() && ITEM.test(lines[i + 1]));
  const children = items.map((item) => {
    const inner = blocks(item, depth + 1).map((b) => block(b, depth + 1));
    // In a tight list the first paragraph is the item's own text.
    const tight = inner.flatMap((node, i) => (!loose && i === 0 && typeof node !== 'string' && node.tag === 'p' ? node.children : [node]));
    return { tag: 'li', children: tight };
  });
  const start = parseInt(first[2], 10);
  return Number.isNaN(start) ? { tag: 'ul', children } : { tag: 'ol', attrs: start === 1 ? undefined : { start: String(start) }, children };
}

/** @param {string[]} lines @param {number} depth @returns {string[][]} the lines of each block */
function blocks(lines, depth) {
  if (depth > DEPTH) return [lines];
  const out = [];
  for (let i = 0; i < lines.length; ) {
    if (!lines[i].trim()) {
      i++;
      continue;
    }
    const end = blockEnd(lines, i);
    out.push(lines.slice(i, end));
    i = end;
  }
  return out;
}

/** @param {string[]} lines of one block @param {number} depth @returns {Tree} */
function block(lines, depth) {
  if (depth > DEPTH) return { tag: 'p', children: [lines.join('\n')] };
  const fence = FENCE.exec(lines[0]);
  if (fence) {
    const close = new RegExp(`^ {0,3}\\${fence[1][0]}{${fence[1].length},}\\s*$`);
    const body = lines.slice(1, lines.length > 1 && close.test(lines[lines.length - 1]) ? -1 : undefined);
    const language = /^[\w+#.-]+/.exec(fence[2])?.[0];
    return { tag: 'pre', attrs: language ? { 'data-language': language } : undefined, children: [{ tag: 'code', children: [body.join('\n')] }] };
  }
  const heading = HEADING.exec(lines[0]);
  if (heading) return { tag: `h${heading[1].length}`, children: parseInline(heading[2] ?? '') };
  if (RULE.test(lines[0])) return { tag: 'hr', children: [] };
  if (QUOTE.test(lines[0])) {
    return { tag: 'blockquote', children: blocks(lines.map((l) => l.replace(QUOTE, '')), depth + 1).map((b) => block(b, depth + 1)) };
  }
  if (ITEM.test(lines[0])) return list(lines, depth);
  if (tableAt(lines, 0)) return table(lines);
  return { tag: 'p', children: parseInline(lines.map((l) => l.trimStart()).join('\n').trimEnd()) };
}

/** @param {string} text @returns {{ source: string, tree: () => Tree }[]} top-level blocks */
export function parse(text) {
  const lines = text.replace(/\r\n?/g, '\n').replaceAll('\t', '    ').split('\n');
  return blocks(lines, 0).map((b) => ({ source: b.join('\n'), tree: () => block(b, 0) }));
}

/** @param {Tree} tree @returns {Node} */
export function render(tree) {
  if (typeof tree === 'string') return document.createTextNode(tree);
  if (!TAGS.has(tree.tag)) throw new Error(`no such element: ${tree.tag}`);
  const node = document.createElement(tree.tag);
  const { href, class: align, start, 'data-language': language } = tree.attrs ?? {};
  const safe = tree.tag === 'a' && href ? safeUrl(href) : null;
  if (safe) {
    node.setAttribute('href', safe);
    node.setAttribute('rel', 'noopener noreferrer nofollow');
    node.setAttribute('target', '_blank');
  }
  if (align === 'center' || align === 'right') node.className = align;
  if (start && /^\d+$/.test(start)) node.setAttribute('start', start);
  if (language) node.dataset.language = language;
  node.append(...tree.children.map(render));
  if (tree.tag === 'table') {
    const scroll = document.createElement('div');
    scroll.className = 'scroll';
    scroll.tabIndex = 0;
    scroll.append(node);
    return scroll;
  }
  if (tree.tag === 'pre') node.tabIndex = 0; // it scrolls: reachable by keyboard
  return node;
}

/** A text that grows: blocks that did not change keep their nodes. */
export class MarkdownView {
  /** @type {string[]} */
  #sources = [];

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /** @param {string} text the whole text so far */
  update(text) {
    const found = parse(text);
    let same = 0;
    while (same < found.length && found[same].source === this.#sources[same]) same++;
    while (this.root.childNodes.length > same) this.root.lastChild?.remove();
    for (const { tree } of found.slice(same)) this.root.append(render(tree()));
    this.#sources = found.map((b) => b.source);
  }
}
