// Random numbers that are the same every time; pages load this file too.

/** Marsaglia's xorshift, 32 bits. @param {number} seed */
export function random(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>>= 0);
  };
}
