// Errors with a stable code, the same on both sides of a worker.

import { STATUS, STATUS_TABLE } from './errors.gen.js';

/** Every error that Quern throws. `code` is stable ("QN_E_CONTEXT"), `name` its class name, `message`
 *  says what was wrong, where, and what can be done. */
export class QuernError extends Error {
  /** @param {number} status @param {string} message @param {ErrorOptions} [options] */
  constructor(status, message, options) {
    super(message, options);
    const row = STATUS_TABLE[status] ?? STATUS_TABLE[STATUS.E_INTERNAL];
    this.name = row.name;
    this.code = row.code;
    this.status = status;
  }
}

/** An error with a message of the engine, which already names the remedy.
 *  @param {number} status @param {string} message */
export function errorFromStatus(status, message) {
  return new QuernError(status, message || STATUS_TABLE[status]?.what || `status ${status}`);
}

/** An error of JavaScript's own, with the remedy of its status.
 *  @param {number} status @param {string} message what and where @param {unknown} [cause] */
export function fail(status, message, cause) {
  const { what, remedy } = STATUS_TABLE[status];
  return new QuernError(status, `${what}: ${message}${remedy ? `; ${remedy}` : ''}`, { cause });
}

/** @param {unknown} error @returns {{ status: number, message: string, name?: string }} */
export function serializeError(error) {
  if (error instanceof QuernError) return { status: error.status, message: error.message };
  if (error instanceof DOMException && error.name === 'AbortError') return { status: STATUS.E_CANCELLED, message: error.message, name: 'AbortError' };
  return { status: STATUS.E_INTERNAL, message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
}

/** @param {{ status: number, message: string, name?: string }} data */
export function deserializeError({ status, message, name }) {
  return name === 'AbortError' ? new DOMException(message, 'AbortError') : new QuernError(status, message);
}

export { STATUS };
