// Structural tags (as XGrammar, web-llm's engine for constraints, describes them) as grammars: free text in
// which triggers begin tags, and tags whose content has a form.

import { WebLLMError } from './errors.js';
import { STATUS } from '../errors.js';

/** @typedef {Record<string, any>} Format */

const refuse = (/** @type {string} */ what) => new WebLLMError('InvalidResponseFormatStructuralTagError', what, STATUS.E_UNSUPPORTED);

/** One character as literals and classes of GBNF have it. @param {string} c */
function escape(c) {
  if (/[A-Za-z0-9 ]/.test(c)) return c;
  const code = /** @type {number} */ (c.codePointAt(0));
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** @param {string} text */
const literal = (text) => `"${[...text].map(escape).join('')}"`;

const COMBINES = /^(allOf|not|if|dependentSchemas|dependencies|patternProperties|unevaluated.*)$/;

/**
 * A schema as XGrammar reads it: objects have the properties that are listed, and no others. Where parts of a schema
 * combine, that would take too much away; such schemas stay as they are.
 * @param {any} schema an object, or its JSON
 */
export function strict(schema) {
  const given = typeof schema === 'string' ? JSON.parse(schema) : schema;
  let open = false;
  /** @param {any} node @param {boolean} [names] its keys are names, its values schemas @returns {any} */
  const close = (node, names = false) => {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map((one) => close(one));
    const out = Object.fromEntries(Object.entries(node).map(([key, value]) => {
      if (!names && COMBINES.test(key)) open = true;
      return [key, !names && /^(enum|const|default|examples)$/.test(key) ? value : close(value, !names && /^(properties|\$defs|definitions)$/.test(key))];
    }));
    if (names || !node.properties) return out;
    if (node.anyOf || node.oneOf || node.$ref) open = true;
    return { additionalProperties: false, ...out };
  };
  const closed = close(given);
  return open ? given : closed;
}

class Grammar {
  /** @type {string[]} */
  rules = [];

  /** @param {(name: string) => string} body @returns {string} the rule's name */
  rule(body) {
    const name = `r${this.rules.length}`;
    this.rules.push(''); // its place: the body may make rules of its own
    this.rules[Number(name.slice(1))] = `${name} ::= ${body(name)}`;
    return name;
  }

  /** @param {Format} format @returns {string} an expression */
  expression(format) {
    const { type } = format;
    if (type === 'const_string') return literal(format.value);
    if (type === 'json_schema') return `%json ${JSON.stringify(strict(format.json_schema))}`;
    if (type === 'regex') return `%regex ${JSON.stringify([format.pattern])}`;
    if (type === 'any_text') return '.*';
    if (type === 'sequence') return `(${format.elements.map((/** @type {Format} */ e) => this.expression(e)).join(' ')})`;
    if (type === 'or') return `(${format.elements.map((/** @type {Format} */ e) => this.expression(e)).join(' | ')})`;
    if (type === 'tag') return this.tag(format, '');
    if (type === 'triggered_tags') return this.triggered(format);
    if (type === 'tags_with_separator') return this.separated(format);
    throw refuse(`structural_tag of type "${type}"`);
  }

  /** What is left of a tag after `begun`. @param {Format} tag @param {string} begun */
  tag({ begin, content, end }, begun) {
    const ends = Array.isArray(end) ? end : [end];
    return `(${literal(begin.slice(begun.length))} ${this.expression(content)} (${ends.map(literal).join(' | ')}))`;
  }

  /** @param {Format} format */
  separated({ tags, separator, at_least_one: needed = false, stop_after_first: once = false }) {
    const tag = this.rule(() => tags.map((/** @type {Format} */ t) => this.tag(t, '')).join(' | '));
    const list = once ? tag : `${tag} (${literal(separator)} ${tag})*`;
    return needed ? `(${list})` : `(${list})?`;
  }

  /**
   * Text until a trigger, the tag that it begins, and so on. The automaton of Aho and Corasick (1975) over the
   * triggers: a state is the longest end of the text that begins one.
   * @param {Format} format
   */
  triggered({ triggers, tags, at_least_one: needed = false, stop_after_first: once = false }) {
    const states = new Set(triggers.flatMap((/** @type {string} */ t) => [...t].map((_, i, all) => all.slice(0, i).join(''))));
    const letters = [...new Set([...triggers.join('')])];
    for (const tag of tags) if (!triggers.some((/** @type {string} */ t) => tag.begin.startsWith(t))) throw refuse(`the tag ${tag.begin} begins with no trigger`);
    const step = (/** @type {string} */ text) => {
      const trigger = triggers.find((/** @type {string} */ t) => text.endsWith(t));
      if (trigger) return { trigger };
      for (let i = 0; i <= text.length; i++) if (states.has(text.slice(i))) return { state: text.slice(i) };
      return { state: '' };
    };
    /** @returns {string} the name of its first state */
    const automaton = () => {
      const prefix = `t${this.rules.length}x`;
      const index = [...states];
      const name = (/** @type {string} */ state) => `${prefix}${index.indexOf(state)}`;
      for (const state of index) {
        const ways = ['""'];
        const special = [];
        for (const letter of letters) {
          const next = step(state + letter);
          if (!next.trigger && next.state === '') continue;
          special.push(letter);
          if (!next.trigger) {
            ways.push(`${literal(letter)} ${name(/** @type {string} */ (next.state))}`);
            continue;
          }
          const trigger = next.trigger;
          const rests = tags.filter((/** @type {Format} */ t) => t.begin.startsWith(trigger)).map((/** @type {Format} */ t) => this.tag(t, trigger));
          if (rests.length > 0) ways.push(`${literal(letter)} (${rests.join(' | ')})${once ? '' : ` ${name('')}`}`);
        }
        ways.push(special.length > 0 ? `[^${special.map(escape).join('')}] ${name('')}` : `. ${name('')}`);
        this.rules.push(`${name(state)} ::= ${ways.join(' | ')}`);
      }
      return name('');
    };
    if (!needed) return automaton();
    // Where one tag is asked for, the text begins with it.
    const first = `(${tags.map((/** @type {Format} */ t) => this.tag(t, '')).join(' | ')})`;
    return once ? first : `(${first} ${automaton()})`;
  }
}

/**
 * @param {any} tag `structural_tag` of a response format: {type, format}, or the older {structures, triggers}; also as JSON
 * @returns {string} a grammar in GBNF
 */
export function structuralGrammar(tag) {
  const given = typeof tag === 'string' ? JSON.parse(tag) : tag;
  const format = given.structures
    ? { type: 'triggered_tags', triggers: given.triggers, tags: given.structures.map((/** @type {any} */ s) => ({ begin: s.begin, content: { type: 'json_schema', json_schema: s.schema }, end: s.end })) }
    : given.format;
  if (!format || typeof format !== 'object') throw refuse('structural_tag without a format');
  const grammar = new Grammar();
  const root = grammar.expression(format);
  return [`root ::= ${root}`, ...grammar.rules].join('\n');
}
