// Text as it is, for people who must not be misled by it: every sign stands where it is sent, whatever
// direction its script has (style.css), and a sign that would not be seen is a mark with its number.

import {el} from './draw.js';
import {HIDDEN, escaped} from './words.js';

// Of a text that may have lines. What draws it is a `pre` of the class `exact`.
export function exact(text) {
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found[0] === '\n') continue;
    parts.push(text.slice(done, found.index), mark(found[0]));
    done = found.index + found[0].length;
  }
  return [...parts, text.slice(done)];
}

const mark = (sign) => el('mark', {title: 'one sign that would not be seen'}, escaped(sign));

// The same, as what it holds, with a button for the rest of what is long.
export function sheet(label, text, most = 32768) {
  const node = el('pre', {class: 'exact', tabindex: 0, role: 'region', 'aria-label': label}, exact(text.slice(0, most)));
  if (text.length <= most) return node;
  const rest = el('button', {type: 'button'}, `Show all ${text.length.toLocaleString('en')} signs`);
  rest.addEventListener('click', () => {
    node.replaceChildren(...exact(text).map((part) => (part instanceof Node ? part : document.createTextNode(part))));
    rest.remove();
    node.focus();
  });
  return el('div', {}, node, el('p', {}, rest));
}
