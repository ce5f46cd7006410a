// Tables that stay smooth with forty thousand rows: only the rows that can be seen are on the page,
// a row stays the same element as long as its key does, and only cells that changed are touched.
//
//   const table = new Table({
//     label: 'Tools',                       what it is, for those who do not see it
//     key: (row) => row.id,                 tells rows apart
//     columns: [{
//       title: 'Tool',
//       cell: (row) => 'text' or {text, tone, title, href, bar, spoken},   see `Cell` below
//       by: (row) => number or text,        what it is sorted by; left out: it is not
//       down: true,                         the largest first, when it is chosen
//       num: true,                          figures: to the right, all digits as wide
//       wide: 1 or 2,                       left out where the screen is narrow (1) or not wide (2)
//       grow: true,                         takes the room that is left
//     }],
//     order: (a, b) => ...,                 the order before somebody chooses another
//     empty: 'No tool was called yet.',
//     rows: 12,                             so many can be seen at most before it scrolls
//   });
//   table.set(rows); table.keep((row) => ...) shows only some; table.node

import {el, fill, say, tone} from './draw.js';
import {full} from './tones.js';

const HEIGHT = 30; // as style.css has it, until one was measured
const BEYOND = 12; // rows above and below those that can be seen
const LEAST = 4;

export class Table {
  #spec;
  #rows = [];
  #shown = [];
  #only = null;
  #chosen = null; // {at, down}
  #drawn = new Map();
  #height = HEIGHT;
  #waits = false;

  constructor(spec) {
    this.#spec = spec;
    this.above = el('tr', {class: 'room', 'aria-hidden': 'true'}, el('td', {colspan: spec.columns.length}));
    this.below = this.above.cloneNode(true);
    this.body = el('tbody', {}, this.above, this.below);
    this.heads = spec.columns.map((column, at) => this.#head(column, at));
    const table = el('table', {}, el('caption', {class: 'unseen'}, spec.label),
      el('thead', {}, el('tr', {}, this.heads)), this.body);
    this.table = table;
    this.scroller = el('div', {
      class: 'rows', tabindex: 0, role: 'region', 'aria-label': spec.label, on: {scroll: () => this.#soon()},
    }, table);
    if (spec.rows) this.scroller.style.setProperty('--rows', String(spec.rows));
    this.none = el('p', {class: 'none'}, spec.empty || 'There is nothing here.');
    this.node = el('div', {class: 'table'}, this.scroller, this.none);
    new ResizeObserver(() => this.#soon()).observe(this.scroller);
    this.#draw();
  }

  set(rows) {
    this.#rows = rows;
    this.#arrange();
  }

  // Shows only rows of which this holds; null: all.
  keep(only) {
    this.#only = only;
    this.#arrange();
  }

  get shown() {
    return this.#shown.length;
  }

  // What is said where there is no row.
  nothing(text) {
    say(this.none, text);
  }

  #head(column, at) {
    const inside = column.by
      ? el('button', {type: 'button', on: {click: () => this.#choose(at)}}, column.title)
      : column.title;
    return el('th', {scope: 'col', class: kinds(column)}, inside);
  }

  #choose(at) {
    const column = this.#spec.columns[at];
    const before = this.#chosen;
    const first = Boolean(column.down);
    if (before?.at !== at) this.#chosen = {at, down: first};
    else this.#chosen = before.down === first ? {at, down: !first} : null;
    this.heads.forEach((head, each) => {
      const chosen = this.#chosen?.at === each;
      if (chosen) head.setAttribute('aria-sort', this.#chosen.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    this.#arrange();
  }

  #arrange() {
    const rows = this.#only ? this.#rows.filter(this.#only) : [...this.#rows];
    const order = this.#chosen ? this.#byChosen() : this.#spec.order;
    this.#shown = order ? rows.sort(order) : rows;
    this.#draw();
  }

  #byChosen() {
    const {at, down} = this.#chosen;
    const by = this.#spec.columns[at].by;
    return (a, b) => compare(by(a), by(b)) * (down ? -1 : 1) || compare(this.#spec.key(a), this.#spec.key(b));
  }

  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => { this.#waits = false; this.#draw(); });
  }

  #draw() {
    const all = this.#shown.length;
    this.none.hidden = all > 0;
    this.scroller.hidden = all === 0;
    const {first, last} = this.#window(all);
    this.table.setAttribute('aria-rowcount', String(all + 1));
    room(this.above, first * this.#height);
    room(this.below, (all - last) * this.#height);
    this.#place(first, last);
    this.#measure();
  }

  #window(all) {
    const high = this.scroller.clientHeight || 600;
    const top = Math.max(0, Math.floor(this.scroller.scrollTop / this.#height) - BEYOND);
    const first = Math.max(0, Math.min(top, all - LEAST));
    return {first, last: Math.min(all, first + Math.ceil(high / this.#height) + 2 * BEYOND)};
  }

  #place(first, last) {
    const kept = new Map();
    let after = this.above.nextSibling;
    for (let at = first; at < last; at += 1) {
      const row = this.#shown[at];
      const key = this.#spec.key(row);
      if (kept.has(key)) continue;
      const drawn = this.#drawn.get(key) || new Row(this.#spec.columns);
      this.#drawn.delete(key);
      kept.set(key, drawn);
      drawn.set(row, at);
      if (drawn.node === after) after = after.nextSibling;
      else this.body.insertBefore(drawn.node, after);
    }
    for (const gone of this.#drawn.values()) gone.node.remove();
    this.#drawn = kept;
  }

  #measure() {
    const [one] = this.#drawn.values();
    const high = one ? one.node.getBoundingClientRect().height : 0;
    if (high > 8 && Math.abs(high - this.#height) > 0.5) {
      this.#height = high;
      this.#soon();
    }
  }
}

class Row {
  constructor(columns) {
    this.cells = columns.map((column) => new Cell(column));
    this.node = el('tr', {}, this.cells.map((cell) => cell.node));
  }

  set(row, at) {
    if (this.at !== at) {
      this.at = at;
      this.node.setAttribute('aria-rowindex', String(at + 2));
    }
    for (const cell of this.cells) cell.set(row);
  }
}

// Shows text; or {text, tone: 'bad'|'warn'|'good'|'dim', title: what is more, href: where it leads,
// bar: a share of 1, which is drawn, barTone: its tone, where full is not bad, spoken: what is said where the text is only a mark,
// act: {text, does(row)}: a button instead of a link}.
class Cell {
  #before = '';

  constructor(column) {
    this.column = column;
    this.node = el('td', {class: kinds(column)});
  }

  set(row) {
    const given = this.column.cell(row);
    const told = typeof given === 'object' && given !== null ? given : {text: String(given ?? '–')};
    this.row = row;
    const now = JSON.stringify([told.text, told.tone, told.title, told.href, told.bar, told.barTone, told.spoken, told.act?.text]);
    if (now === this.#before) return;
    this.#before = now;
    fill(this.node, ...this.#inside(told));
    tone(this.node, told.tone);
    if (told.title) this.node.setAttribute('title', told.title);
    else this.node.removeAttribute('title');
  }

  #inside(told) {
    const text = el('bdi', {'aria-hidden': told.spoken ? 'true' : null}, told.text);
    const word = told.href ? el('a', {href: told.href}, text) : text;
    return [told.bar === undefined ? null : bar(told.bar, told.barTone), told.act ? this.#button(told.act) : word,
      told.spoken && el('span', {class: 'unseen'}, told.spoken)].filter(Boolean);
  }

  #button(act) {
    return el('button', {type: 'button', class: 'small', on: {click: () => act.does(this.row)}}, act.text);
  }
}

// So much of it is full. Beside it stands the figure.
export function bar(share, mood = full(share)) {
  const node = el('span', {class: 'bar', 'aria-hidden': 'true'});
  const part = Math.max(0, Math.min(1, share ?? 0));
  node.style.setProperty('--full', `${Math.round(part * 100)}%`);
  return tone(node, mood);
}

const kinds = (column) => [
  column.num && 'num', column.grow && 'grow', column.wide && `wide-${column.wide}`,
].filter(Boolean).join(' ');

function room(node, high) {
  const wanted = `${Math.round(high)}px`;
  if (node.style.height !== wanted) node.style.setProperty('height', wanted);
  node.hidden = high < 1;
}

// Numbers by size, texts by letters; what is not known comes last either way round: as the least.
export function compare(a, b) {
  const known = (one) => one !== null && one !== undefined;
  if (!known(a) || !known(b)) return Number(known(a)) - Number(known(b));
  if (typeof a !== 'string' && typeof b !== 'string') return a < b ? -1 : a > b ? 1 : 0;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}
