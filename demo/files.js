// Models from this device: picked, or dropped as files or as a folder.

import { byId } from './dom.js';

/** @param {FileSystemEntry | null} entry @returns {Promise<File[]>} the files of a folder, not of its folders */
async function filesOf(entry) {
  if (!entry) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))];
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const out = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return out;
    for (const e of some) if (e.isFile) out.push(...(await filesOf(e)));
  }
}

/** @param {(files: File[], name: string) => void} load */
export function startFiles(load) {
  const input = /** @type {HTMLInputElement} */ (byId('file'));
  const take = (/** @type {File[]} */ files) => {
    const names = files.map((f) => f.name).sort();
    const name = names.find((n) => n.endsWith('.gguf')) ?? names[0];
    if (name) load(files, name);
  };
  byId('pick').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    input.value = '';
  });

  const carries = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes('Files') === true;
  document.addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    byId('drop').hidden = false;
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) byId('drop').hidden = true;
  });
  document.addEventListener('drop', async (event) => {
    byId('drop').hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    const items = [...(event.dataTransfer?.items ?? [])].filter((i) => i.kind === 'file');
    const entries = items.map((i) => i.webkitGetAsEntry?.() ?? null); // before the event is over
    const plain = [...(event.dataTransfer?.files ?? [])];
    take(entries.some((e) => e) ? (await Promise.all(entries.map(filesOf))).flat() : plain);
  });
}
