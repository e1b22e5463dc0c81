// What tools/publish.mjs leaves out of published files: blanks, but none within a token or between two that would
// become one. (While publishing, TypeScript's compiler says the same of every file.)

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';

import { tighten } from '../../tools/publish.mjs';

test('blanks that separate nothing go, lines stay', () => {
  for (const [text, want] of [
    ['const a = 1;\n    return  a ;\n', 'const a=1;\nreturn a;\n'],
    ['a + +b - -c / d ** e', 'a + +b - -c / d ** e'],
    ["x = 'a  =  b' + \"it's  {  \\\"  }\"", "x='a  =  b' + \"it's  {  \\\"  }\""],
    ['const r = /[/"]  `\\/ {/g, s = a / b;', 'const r=/[/"]  `\\/ {/g,s=a / b;'],
    ['f(/  "/.test(x)) ? { a : 1 } : !/ \'/.test(y)', 'f(/  "/.test(x))?{a:1}:!/ \'/.test(y)'],
    ['`  ${ a ? `  { ${ { b : 1 } . b }  }` : "  `" }\n    $ { \\`  `  ;', '`  ${a?`  { ${{b:1}. b}  }`:"  `"}\n    $ { \\`  `;'],
    ['async  (x) => await  x\n\n  .then ( void 0 )', 'async(x)=>await x\n.then(void 0)'],
    ['class A {\n    static  #b = 1;\n    get  #c() { }\n}', 'class A{\nstatic #b=1;\nget #c(){}\n}'],
  ]) {
    assert.equal(tighten(text), want);
    assert.equal(tighten(want), want);
  }
});

test('bundlers find every file that the library names, service workers import none late', () => {
  const files = readdirSync('web', { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.js')).map((f) => join('web', f));
  let found = 0;
  for (const file of files) {
    const code = readFileSync(file, 'utf8').replace(/\/\*[^]*?\*\/|\/\/ .*/g, '');
    assert.equal(/\bimport\(/.test(code), false, `${file}: service workers refuse import()`);
    for (const [, name] of code.matchAll(/new URL\(([^()]*), import\.meta\.url\)/g)) {
      assert.match(name, /^'\.[\w./-]+'$/, `${file} names a file that no bundler sees`);
      if (!name.endsWith(".wasm'")) assert.ok(existsSync(join(dirname(file), name.slice(1, -1))), name);
      found++;
    }
  }
  assert.ok(found >= 10, `${found} files are named`); // modules, and two workers, one of them twice
});
