// Markdown within a line → a tree. Emphasis and links follow CommonMark's delimiter stack, so that the
// time is linear in the text whatever it holds.

/** A tag of the renderer's list (markdown.js), its attributes, its children. @typedef {{ tag: string, attrs?: Record<string, string>, children: Tree[] }} Element */
/** @typedef {Element | string} Tree */
/** @typedef {{ char: string, count: number, opens: boolean, closes: boolean, at: number }} Delimiter a run of * _ or ~; at: index in the list of nodes */

const PUNCTUATION = /[\p{P}\p{S}]/u;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const DEPTH = 32; // nested brackets

/** The address when it is one that may be followed, else null. @param {string} href */
export function safeUrl(href) {
  if (!/^https?:\/\/[^\s/]/i.test(href)) return null;
  try {
    const url = new URL(href);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}

/** @param {string} href @param {Tree[]} children @returns {Tree[]} */
function link(href, children) {
  const safe = safeUrl(href);
  return safe ? [{ tag: 'a', attrs: { href: safe }, children }] : children;
}

/** Ends of code spans by length of the run of backticks: found once. @param {string} text */
function backtickRuns(text) {
  /** @type {Map<number, number[]>} */
  const runs = new Map();
  for (const m of text.matchAll(/`+/g)) {
    const list = runs.get(m[0].length) ?? [];
    list.push(m.index);
    runs.set(m[0].length, list);
  }
  return runs;
}

/** What may follow `[text]`: the address, and how far it reaches. @param {string} text @param {number} at of '(' */
function destination(text, at) {
  const m = /^\(\s*(?:<([^<>\n]*)>|([^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(text.slice(at, at + 2048));
  return m ? { href: m[1] ?? m[2], end: at + m[0].length } : null;
}

/** @param {string} text @returns {Tree[]} */
export function parseInline(text) {
  const runs = backtickRuns(text);
  /** @type {Tree[]} */
  const nodes = [];
  /** @type {Delimiter[]} */
  const delimiters = [];
  /** @type {{ node: number, delimiter: number, image: boolean }[]} */
  const brackets = [];
  let plain = '';
  const flush = () => {
    if (plain) nodes.push(plain);
    plain = '';
  };

  for (let i = 0; i < text.length; ) {
    const c = text[i];
    if (c === '\\' && text[i + 1] === '\n') {
      flush();
      nodes.push({ tag: 'br', children: [] });
      i += 2;
    } else if (c === '\\' && ESCAPABLE.test(text[i + 1] ?? '')) {
      plain += text[i + 1];
      i += 2;
    } else if (c === '`') {
      const n = /^`+/.exec(text.slice(i, i + 256))?.[0].length ?? 1;
      const list = runs.get(n) ?? [];
      while (list.length && list[0] <= i) list.shift();
      if (list.length) {
        flush();
        const code = text.slice(i + n, list[0]).replaceAll('\n', ' ');
        nodes.push({ tag: 'code', children: [/^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code] });
        i = list[0] + n;
      } else {
        plain += text.slice(i, i + n);
        i += n;
      }
    } else if (c === '*' || c === '_' || (c === '~' && text[i + 1] === '~')) {
      let n = 1;
      while (text[i + n] === c) n++;
      flush();
      delimiters.push(delimiter(text, i, n, nodes.length));
      nodes.push(text.slice(i, i + n));
      i += n;
    } else if (c === '[' || (c === '!' && text[i + 1] === '[')) {
      const n = c === '!' ? 2 : 1;
      flush();
      if (brackets.length < DEPTH) brackets.push({ node: nodes.length, delimiter: delimiters.length, image: n === 2 });
      nodes.push(text.slice(i, i + n));
      i += n;
    } else if (c === ']' && brackets.length) {
      flush();
      const open = /** @type {typeof brackets[0]} */ (brackets.pop());
      const to = text[i + 1] === '(' ? destination(text, i + 1) : null;
      if (to) {
        emphasise(nodes, delimiters, open.delimiter);
        const children = nodes.splice(open.node).slice(1);
        // An image is shown as a link to it, or as its text within another link: nothing is fetched.
        nodes.push(...(open.image && brackets.length ? children : link(to.href, children)));
        if (!open.image) brackets.length = 0; // no links within links
        i = to.end;
      } else {
        plain += ']';
        i++;
      }
    } else if (c === '<') {
      const auto = /^<(https?:\/\/[^\s<>]*)>/i.exec(text.slice(i, i + 2048));
      flush();
      if (auto) nodes.push(...link(auto[1], [auto[1]]));
      else plain = '<';
      i += auto ? auto[0].length : 1;
    } else if (c === 'h' && !brackets.length && /^https?:\/\//.test(text.slice(i, i + 8)) && !/[\w]/.test(text[i - 1] ?? '')) {
      const found = (/^https?:\/\/[^\s<>`*]+/.exec(text.slice(i, i + 2048))?.[0] ?? 'h').replace(/[.,:;!?'")\]]+$/, '');
      flush();
      nodes.push(...link(found, [found]));
      i += found.length;
    } else if (c === '\n') {
      const hard = plain.endsWith('  ');
      plain = plain.trimEnd();
      flush();
      nodes.push(hard ? { tag: 'br', children: [] } : '\n');
      i++;
    } else {
      plain += c;
      i++;
    }
  }
  flush();
  emphasise(nodes, delimiters, 0);
  return nodes.filter((n) => n !== '');
}

/** @param {string} text @param {number} i @param {number} n @param {number} at @returns {Delimiter} */
function delimiter(text, i, n, at) {
  const before = text[i - 1] ?? ' ';
  const after = text[i + n] ?? ' ';
  const space = [/\s/.test(before), /\s/.test(after)];
  const mark = [PUNCTUATION.test(before), PUNCTUATION.test(after)];
  const left = !space[1] && (!mark[1] || space[0] || mark[0]);
  const right = !space[0] && (!mark[0] || space[1] || mark[1]);
  const word = text[i] === '_';
  return { char: text[i], count: n, at, opens: left && (!word || !right || mark[0]), closes: right && (!word || !left || mark[1]) };
}

/**
 * Turns pairs of runs into elements. Nodes keep their places: what goes into an element leaves ''.
 * @param {Tree[]} nodes @param {Delimiter[]} delimiters @param {number} bottom first delimiter to look at; the
 *   rest of the list is taken away
 */
function emphasise(nodes, delimiters, bottom) {
  const list = delimiters.splice(bottom);
  /** @type {Map<string, number>} below which no opener is, by kind of closer */
  const floor = new Map();
  /** @type {number[]} indexes in the list of what may still open */
  const openers = [];
  list.forEach((closer, index) => {
    while (closer.closes && closer.count > 0) {
      const kind = closer.char + (closer.count % 3) + closer.opens;
      let k = openers.length - 1;
      for (; k >= (floor.get(kind) ?? 0); k--) {
        const o = list[openers[k]];
        const odd = (o.closes || closer.opens) && (o.count + closer.count) % 3 === 0 && (o.count % 3 !== 0 || closer.count % 3 !== 0);
        if (o.char === closer.char && !odd && (o.char !== '~' || (o.count >= 2 && closer.count >= 2))) break;
      }
      if (k < (floor.get(kind) ?? 0)) {
        floor.set(kind, openers.length);
        break;
      }
      const opener = list[openers[k]];
      const n = opener.count >= 2 && closer.count >= 2 ? 2 : 1;
      const children = nodes.slice(opener.at + 1, closer.at).filter((node) => node !== '');
      nodes.fill('', opener.at + 1, closer.at);
      nodes[closer.at - 1] = { tag: closer.char === '~' ? 'del' : n === 2 ? 'strong' : 'em', children };
      opener.count -= n;
      closer.count -= n;
      nodes[opener.at] = opener.char.repeat(opener.count);
      nodes[closer.at] = closer.char.repeat(closer.count);
      openers.length = opener.count > 0 ? k + 1 : k;
      for (const [key, value] of floor) if (value > openers.length) floor.set(key, openers.length);
    }
    if (closer.opens && closer.count > 0) openers.push(index);
  });
}
