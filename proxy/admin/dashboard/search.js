// A field that shows only the rows of a table in which its words stand; they stay in the address.

import {el, say} from './draw.js';
import {count} from './words.js';

let fields = 0;

// `text(row)` is what is looked through. {node, told(shown, all, more)}: `more`: are there others that were
// not asked for?
export function search(app, at, table, text) {
  fields += 1;
  const id = `search-${fields}`;
  const field = el('input', {
    id, type: 'search', autocomplete: 'off', spellcheck: 'false', maxlength: 200, value: at.query.get('q') || '',
  });
  const number = el('span', {class: 'dim'});
  const keep = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    table.keep(words.length ? (row) => holds(text(row).toLowerCase(), words) : null);
    table.nothing(words.length ? 'No row has these words.' : 'There is nothing here yet.');
  };
  field.addEventListener('input', () => {
    keep();
    app.put({q: field.value});
    told(table.shown, all);
  });
  let all = 0;
  let others = false;
  const told = (shown, whole, more = others) => {
    [all, others] = [whole, more];
    const words = shown === whole ? count(whole) : `${count(shown)} of ${count(whole)}`;
    say(number, more ? `${words}, and there are more` : words);
  };
  keep();
  return {node: el('p', {class: 'search'}, el('label', {for: id}, 'Find'), field, number), told};
}

const holds = (text, words) => words.every((word) => text.includes(word));
