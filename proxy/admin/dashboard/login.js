// The form that takes a token. It is in the page's memory from then on, and in no storage: a reload
// of the page forgets it.

import {el, fill, say} from './draw.js';
import {name} from './words.js';

// {why: what is said above it, enter: (token) -> is it let in?}
export function login({why = '', enter}) {
  const field = el('input', {
    id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true,
    'aria-describedby': 'token-note', maxlength: 4096,
  });
  const button = el('button', {type: 'submit', class: 'main'}, 'Log in');
  const trouble = el('p', {class: 'notice', role: 'alert', 'data-tone': 'bad', hidden: !why}, name(why, 600));
  const submit = async (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (!token) return;
    if (!/^[\x21-\x7e]+$/.test(token)) {
      trouble.hidden = false;
      say(trouble, 'A token has letters, digits and signs without spaces.');
      return;
    }
    button.disabled = true;
    await enter(token);
    button.disabled = false;
  };
  const note = el('p', {id: 'token-note', class: 'dim'},
    'holdfast token new NAME --role viewer --write makes one. It is kept in memory only, and ',
    'forgotten when you log out or load the page again.');
  const form = el('form', {class: 'login', autocomplete: 'off', on: {submit}},
    el('h1', {}, 'Log in'), trouble,
    el('label', {for: 'token'}, 'Token'), field, button, note);
  return fill(el('div', {class: 'door'}), form);
}
