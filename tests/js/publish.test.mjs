// What tools/publish.mjs leaves out of published files: blanks, but none within a token or between two that would
// become one. (While publishing, TypeScript's compiler says the same of every file.)

import assert from 'node:assert/strict';
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
