// Text as it is, for people who must not be misled by it: every sign stands where it is sent, whatever
// direction its script has (style.css), a sign that would not be seen is a mark with its number, and
// so is emptiness that would push what follows out of sight.

import {el} from './draw.js';
import {HIDDEN, count, escaped, plural} from './words.js';

const GAP = / {81,}|(?: *\n){6,} */;
const MARKED = new RegExp(`(${GAP.source})|${HIDDEN.source}`, 'gu');

// Of a text that may have lines. What draws it is a `pre` of the class `exact`.
export function exact(text) {
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(MARKED)) {
    const [sign, gap] = found;
    if (sign === '\n') continue;
    parts.push(text.slice(done, found.index), gap ? emptiness(gap) : mark(sign));
    done = found.index + sign.length;
  }
  return [...parts, text.slice(done)];
}

const mark = (sign) => el('mark', {title: 'one sign that would not be seen'}, escaped(sign));

function emptiness(gap) {
  const ends = gap.split('\n').length - 1;
  const spaces = gap.length - ends;
  const said = [ends && plural(ends, 'line end'), spaces && plural(spaces, 'space')].filter(Boolean).join(', ');
  const node = el('mark', {title: 'nothing but these stands here'}, `[${said}]`);
  return ends ? ['\n', node, '\n'] : node;
}

// The same, as what it holds. Of what is long the rest comes with a button, and `whole()` is told
// when all of it is there; what is not is as high as it must be, so that nothing is below an edge.
export function sheet(label, text, {whole = () => {}, most = 32768} = {}) {
  const long = text.length > most;
  const node = el('pre', {class: long ? 'exact long' : 'exact', tabindex: 0, role: 'region', 'aria-label': label}, exact(text.slice(0, most)));
  if (!long) {
    whole();
    return node;
  }
  const size = count(text.length);
  const said = el('p', {class: 'notice', 'data-tone': 'warn'}, `These are the first ${count(most)} of ${size} signs.`);
  const rest = el('button', {type: 'button'}, `Show all ${size} signs`);
  rest.addEventListener('click', () => {
    node.replaceChildren(...exact(text).flat().map((part) => (part instanceof Node ? part : document.createTextNode(part))));
    rest.remove();
    said.remove();
    node.focus();
    whole();
  });
  return el('div', {}, node, said, el('p', {}, rest));
}
