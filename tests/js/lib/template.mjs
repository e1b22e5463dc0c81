// The model of a fixture under a chat template of the test's own, with tokens of its own.

import { readFileSync } from 'node:fs';

import { diskBacking } from '../../../bin/host.mjs';
import { fixture, openFiles } from './models.mjs';

/** The id of the first of these tokens. */
export const mark = (/** @type {unknown[]} */ tokens) => 304 - tokens.length;

/**
 * @param {string} form of calls
 * @param {(engine: Awaited<ReturnType<typeof openFiles>>) => Promise<void>} use
 * @param {{ tokens?: { content: string, special: boolean }[], end?: string, template?: string, edit?: (tokenizer: any) => void, gpu?: NonNullable<Parameters<typeof openFiles>[2]>['gpu'] }} [options]
 *   tokens: in place of the last merged ones, the first at `mark(tokens)`; end: of the prompt; edit: of tokenizer.json
 */
export async function withTemplate(form, use, { tokens = [], end = '', gpu, template: whole, edit = () => {} } = {}) {
  const template = whole ?? `{% if tools %}{{ '${form.replaceAll("'", "\\'")}' }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:${end}`;
  const { path } = fixture('mlc/qwen2_q4f16_1');
  const tokenizer = JSON.parse(readFileSync(`${path}/tokenizer.json`, 'utf8'));
  tokenizer.model.merges.splice(48 - tokens.length); // ids 256 … 303
  tokenizer.model.vocab = Object.fromEntries(Object.entries(tokenizer.model.vocab).filter(([, id]) => id < mark(tokens)));
  tokens.forEach((token, i) => tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], ...token, id: mark(tokens) + i }));
  edit(tokenizer);
  const own = new Map(Object.entries({ 'tokenizer_config.json': { chat_template: template }, 'tokenizer.json': tokenizer }).map(([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))]));
  const disk = diskBacking(path);
  const engine = await openFiles(
    {
      size: async (name) => own.get(name)?.length ?? disk.size(name),
      read: async (name, offset, n) => own.get(name)?.slice(offset, offset + n) ?? disk.read(name, offset, n),
    },
    '',
    { context: 256, gpu: gpu ?? null },
  );
  try {
    await use(engine);
  } finally {
    engine.close();
    disk.close();
  }
}
