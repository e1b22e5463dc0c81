// Numbers as people read them.

const number = (/** @type {number} */ digits) => new Intl.NumberFormat('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** @param {number} n bytes */
export function bytes(n) {
  if (n < 1000) return `${n}\u00a0bytes`;
  for (const [unit, size] of /** @type {const} */ ([['kB', 1e3], ['MB', 1e6]])) {
    const value = n / size;
    if (value < 999.5) return `${value < 99.5 ? number(1).format(value) : whole.format(value)}\u00a0${unit}`;
  }
  return `${number(2).format(n / 1e9)}\u00a0GB`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return 'less than a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${number(1).format(seconds / 3600)} h`;
}

/** @param {number} ms */
export const milliseconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${number(1).format(ms / 1000)} s`);

/** @param {number} n */
export const count = (n) => whole.format(n);

/** @param {number} n per second */
export const rate = (n) => (n >= 100 ? whole.format(n) : number(1).format(n));

/** @param {number} n parameters */
export const parameters = (n) => (n >= 1e9 ? `${number(1).format(n / 1e9)} billion` : `${whole.format(n / 1e6)} million`);

/** Why, out of a message "what: where; what to do". @param {string} message */
export const cause = (message) => message.replace(/; [^;]*$/, '').replace(/^[^:]*: /, '');
