// One worker of the CPU backend, see threads.js.

addEventListener('message', ({ data: { module, memory, pool, index, stackTop } }) => {
  const none = () => {
    throw new Error('files and the GPU belong to the engine\'s own thread');
  };
  const instance = new WebAssembly.Instance(module, { env: { memory, qn_js_size: none, qn_js_read: none, qn_js_play: none, qn_js_clock: none } });
  const { __stack_pointer: stackPointer, qn_wasm_worker: work } = /** @type {any} */ (instance.exports);
  stackPointer.value = stackTop;
  work(pool, index);
  close();
}, { once: true });
