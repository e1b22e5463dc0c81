// Schemas of the JSON Schema Test Suite: each is carried out or refused by name; what is carried out takes
// valid instances and no other, and whatever random walks through a real vocabulary say, Ajv finds valid.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';

import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const PROGRAM = 'build/release/test_constrain';
const TOKENIZER = `${process.env.QN_SHARED ?? '../shared'}/assets/tokenizers/qwen2.5/tokenizer.reconstructed.json`;
const skip = !existsSync(PROGRAM) ? `skipped: no ${PROGRAM}` : existsSync(TOKENIZER) ? false : 'skipped: no ../shared';

/** @typedef {[file: string, schema: any, instances: [valid: 0 | 1, data: unknown][]]} Group */
/** @typedef {{ status: string, error: string, accepted: boolean[], texts: string[], ended: boolean[] }} Answer */

/** Valid instances that need not be accepted: what is said is then a part of what may be said (docs/formats.md). */
const PARTS = new Set([
  'contains', 'minContains', 'maxContains', // what is contained comes first
  'email', 'date-time', 'time', 'duration', 'hostname', 'ipv6', 'uri', 'uri-reference', 'uri-template', 'regex', 'idn-email', 'idn-hostname', 'iri', 'iri-reference',
  'bignum', 'float-overflow', 'infinite-loop-detection', 'default', 'ref',
]);

/** All orders of keys, up to a number. @param {any} data @returns {string[]} */
function spellings(data) {
  if (Array.isArray(data)) {
    /** @type {string[]} */
    let all = [''];
    for (const item of data) all = all.flatMap((a) => spellings(item).map((s) => (a ? `${a},${s}` : s))).slice(0, 60);
    return all.map((a) => `[${a}]`);
  }
  if (data === null || typeof data !== 'object') return [JSON.stringify(data)];
  const keys = Object.keys(data);
  /** @param {string[]} left @returns {string[][]} */
  const orders = (left) => (left.length < 2 || keys.length > 5 ? [left] : left.flatMap((k) => orders(left.filter((o) => o !== k)).map((rest) => [k, ...rest])));
  return orders(keys).flatMap((order) => {
    /** @type {string[]} */
    let all = [''];
    for (const key of order) all = all.flatMap((a) => spellings(data[key]).map((s) => `${a}${a && ','}${JSON.stringify(key)}:${s}`)).slice(0, 60);
    return all.map((a) => `{${a}}`);
  }).slice(0, 400);
}

test('the JSON Schema Test Suite', { skip }, () => {
  /** @type {Record<string, Group[]>} */
  const suite = JSON.parse(readFileSync('tests/data/json_schema/suite.json', 'utf8'));
  const groups = Object.entries(suite).flatMap(([draft, list]) => list.map((group) => ({ draft, group })));
  const asked = groups.map(({ group: [, schema, instances] }, i) => {
    const spelled = instances.map(([, data]) => spellings(data));
    return { spelled, line: JSON.stringify({ kind: 1, text: JSON.stringify(schema), accept: spelled.flat(), walks: 3, seed: i, most: 240 }) };
  });
  const run = spawnSync(PROGRAM, ['--drive', TOKENIZER], { input: `${asked.map((a) => a.line).join('\n')}\n`, encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(run.status, 0, run.stderr);
  /** @type {Answer[]} */
  const answers = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(answers.length, groups.length);
  /** @type {string[]} */
  const wrong = [];
  let carried = 0;
  let ended = 0;
  answers.forEach((answer, i) => {
    const [file, schema, instances] = groups[i].group;
    const label = `${groups[i].draft} ${file} ${JSON.stringify(schema).slice(0, 160)}`;
    if (answer.status !== 'QN_OK') {
      const never = answer.error.startsWith('no text can match') && instances.every(([valid]) => !valid);
      if (!never && answer.status !== 'QN_E_UNSUPPORTED' && answer.status !== 'QN_E_LIMIT') wrong.push(`${label}: ${answer.error}`);
      return;
    }
    carried++;
    let at = 0;
    instances.forEach(([valid, data], k) => {
      const n = asked[i].spelled[k].length;
      const accepted = answer.accepted.slice(at, at + n).some(Boolean);
      at += n;
      if (accepted !== Boolean(valid) && !(valid && PARTS.has(file))) wrong.push(`${label}: ${JSON.stringify(data)} is ${accepted ? '' : 'not '}accepted`);
    });
    const ajv = new (groups[i].draft.startsWith('20') ? Ajv2020 : Ajv)({ strict: false, multipleOfPrecision: 8, ownProperties: true, logger: false });
    formats.default(/** @type {any} */ (ajv));
    /** @type {import('ajv').ValidateFunction | undefined} */
    let validate;
    try {
      validate = ajv.compile(schema);
      // A judge who disagrees with the suite is not heard; the output is still parsed.
      if (instances.some(([valid, data]) => validate?.(data) !== Boolean(valid))) validate = undefined;
    } catch {
      // Ajv refuses a few.
    }
    answer.texts.forEach((text, k) => {
      if (!answer.ended[k]) return; // cut, and told
      ended++;
      try {
        if (validate && !validate(JSON.parse(text))) wrong.push(`${label}: said ${text.slice(0, 200)}, ${JSON.stringify(validate.errors).slice(0, 200)}`);
      } catch (error) {
        wrong.push(`${label}: said ${text.slice(0, 200)}, ${error}`);
      }
    });
  });
  assert.deepEqual(wrong, []);
  assert.ok(carried >= 300, `${carried} of ${groups.length} schemas`);
  assert.ok(ended > carried, `${ended} walks came to an end`);
});
