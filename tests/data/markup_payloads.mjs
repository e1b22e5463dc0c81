// Texts that would run script, load something or escape from a page that made markup of them.

const call = 'window.pwned=1';
const schemes = ['javascript:', 'JaVaScRiPt:', ' javascript:', 'java\tscript:', 'java\nscript:', '\u0001javascript:', 'javascript&colon;', 'javascript&#58;',
  '&#106;avascript:', 'data:text/html,<script>', 'data:text/html;base64,PHNjcmlwdD4=', 'vbscript:', 'file:///etc/passwd', 'blob:https://x/y', 'view-source:javascript:',
  'about:blank#', '//evil.example/', 'http:javascript:', 'https:/', 'javascript://x/%0a'];
const tags = [
  `<script>${call}</script>`, `<script src=data:,${call}></script>`, `<img src=x onerror=${call}>`, `<svg onload=${call}>`, `<svg><script>${call}</script></svg>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>">`, `<iframe src="javascript:${call}">`, `<body onload=${call}>`, `<input autofocus onfocus=${call}>`,
  `<details open ontoggle=${call}>`, `<video><source onerror=${call}></video>`, `<audio src=x onerror=${call}>`, `<object data="javascript:${call}">`, `<embed src="javascript:${call}">`,
  `<a href="javascript:${call}">x</a>`, `<form action="javascript:${call}"><button>x</button></form>`, `<math href="javascript:${call}">x</math>`,
  `<style>@import 'javascript:${call}'</style>`, `<link rel=stylesheet href=//evil.example/x.css>`, `<meta http-equiv=refresh content="0;url=javascript:${call}">`, `<base href=//evil.example/>`,
  `<template><script>${call}</script></template>`, `<noscript><p title="</noscript><img src=x onerror=${call}>">`, `<marquee onstart=${call}>`, `<isindex action=javascript:${call}>`,
  `"><script>${call}</script>`, `'><img src=x onerror=${call}>`, `</code></pre><script>${call}</script>`, `<!--><script>${call}</script>-->`, `<![CDATA[<script>${call}</script>]]>`, `<scr<script>ipt>${call}</script>`,
  `&lt;script&gt;${call}&lt;/script&gt;`, `<x onclick=${call}>click</x>`, `<div style="background:url(javascript:${call})">`, `<button popovertarget=x onclick=${call}>`,
];
const around = [(/** @type {string} */ s) => s, (/** @type {string} */ s) => `- ${s}\n  > ${s}`, (/** @type {string} */ s) => `| a | b |\n|---|---|\n| ${s} | \`${s}\` |`];
const shapes = [
  '[x](%)', '![x](%)', '<%>', '[x](<%>)', '[x](% "t")', '[![x](%)](%)', '**[x](%)**',
];

export const payloads = [
  ...tags.flatMap((t) => around.map((f) => f(t))),
  ...schemes.flatMap((s) => shapes.map((shape) => shape.replaceAll('%', `${s}${call}`))),
  `\`\`\`"><script>${call}</script>\n${call}\n\`\`\``, `~~~js onclick=${call}\nx\n~~~`, `# <img src=x onerror=${call}>`, `> <script>${call}</script>`,
  `[x](https://a.example/"onclick=${call})`, `[x](https://a.example/ "onclick=${call}")`, `https://a.example/"onmouseover=${call}`, `<https://a.example/"onclick=${call}>`,
  `[a](https://b.example/\\"onclick=${call})`, `__proto__ constructor [__proto__](constructor)`, `9999999999. x`, `1${'0'.repeat(400)}. x`,
  '*'.repeat(5000), '['.repeat(5000), '> '.repeat(3000), '- '.repeat(3000), '`'.repeat(4001), '_a'.repeat(3000), '[a]('.repeat(2000), '|'.repeat(3000) + '\n' + '|-'.repeat(1500), '**a '.repeat(2000), '~~a_*'.repeat(1500),
  '\u202e\u0000\ufeff\ud800 <script>', '\u0000'.repeat(50), '<'.repeat(3000), '![['.repeat(2000) + '](x)'.repeat(2000),
];
