// What is on the page is made here. Text becomes text nodes, whoever wrote it: nothing is ever read
// as markup. Attributes are those of a list; a link leads to a place of this page and nowhere else.

const ALLOWED = new Set([
  'class', 'id', 'for', 'type', 'name', 'value', 'placeholder', 'autocomplete', 'spellcheck',
  'title', 'role', 'scope', 'colspan', 'rows', 'maxlength', 'min', 'max', 'step', 'open', 'lang',
  'dir', 'tabindex', 'hidden', 'disabled', 'required', 'checked', 'selected', 'inputmode', 'list',
  'datetime', 'readonly', 'autofocus',
]);
const DRAWING = 'http://www.w3.org/2000/svg';

// el('button', {class: 'quiet', type: 'button', on: {click: go}}, 'Go') -> the element.
// A child is text, an element, a list of these, or nothing (null, undefined, false).
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) put(made, key, value);
  made.append(...flat(children));
  return made;
}

function put(made, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === 'on') {
    for (const [word, hear] of Object.entries(value)) made.addEventListener(word, hear);
  } else if (key === 'href') {
    if (!/^#/.test(value)) throw new TypeError('a link leads to a place of this page');
    made.setAttribute('href', value);
  } else if (ALLOWED.has(key) || /^(aria|data)-[a-z-]+$/.test(key)) {
    made.setAttribute(key, value === true ? '' : String(value));
  } else {
    throw new TypeError(`not an attribute that is drawn: ${key}`);
  }
}

const flat = (children) => children.flat(5)
  .filter((child) => child !== null && child !== undefined && child !== false)
  .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));

// An element of a drawing, with numbers and texts as attributes.
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(DRAWING, tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (/^(on|href|xlink|style)/i.test(key)) throw new TypeError('drawings do nothing');
    made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

// Puts others in the place of what an element holds.
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

// Sets a text, and touches the page only where it is another.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

// The same of a tone: 'bad', 'warn', 'good', 'dim' or none. style.css says how it looks.
export function tone(node, word) {
  const wanted = word || '';
  if ((node.dataset.tone || '') !== wanted) node.dataset.tone = wanted;
  return node;
}

export const show = (node, is) => { if (node.hidden === is) node.hidden = !is; };

// A list whose items stay the same elements as long as their keys do: what is looked at, or has
// the focus, is not taken away. `draw(item)` makes one, `update(node, item)` keeps it true.
export class Keyed {
  constructor(node, {key, draw, update = () => {}}) {
    this.node = node;
    this.parts = {key, draw, update};
    this.drawn = new Map();
  }

  set(items) {
    const kept = new Map();
    let after = this.node.firstChild;
    for (const item of items) {
      const key = this.parts.key(item);
      if (kept.has(key)) continue;
      const node = this.drawn.get(key) || this.parts.draw(item);
      this.drawn.delete(key);
      kept.set(key, node);
      this.parts.update(node, item);
      if (node === after) after = after.nextSibling;
      else this.node.insertBefore(node, after);
    }
    for (const node of this.drawn.values()) node.remove();
    this.drawn = kept;
  }
}

// A heading with what belongs to it.
export function panel(title, {class: kind = '', beside = null, level = 'h2'} = {}, ...children) {
  const heading = el(level, {}, title);
  const head = beside ? el('div', {class: 'panel-head'}, heading, beside) : heading;
  return el('section', {class: `panel ${kind}`.trim()}, head, ...children);
}

// One figure with its name: {node, set(text, {tone, note})}.
export function tile(title, {href = null, beside = null} = {}) {
  const figure = el('dd', {class: 'figure'}, '–');
  const note = el('dd', {class: 'note'});
  const word = href ? el('a', {href}, title) : title;
  const node = el('div', {class: 'tile'}, el('dt', {}, word), figure, note,
    beside && el('dd', {class: 'beside'}, beside));
  return {
    node,
    set(text, {tone: word = '', note: told = ''} = {}) {
      say(figure, text);
      tone(figure, word);
      say(note, told);
    },
  };
}
