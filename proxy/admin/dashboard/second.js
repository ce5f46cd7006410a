// The second of two steps: says what will be, and does it when somebody wants that as well. The focus
// is on the way back first, so that a key that was pressed once too often does nothing.

import {el, say} from './draw.js';
import {name} from './words.js';

let opened = 0;

// `does()` may take its time; what it throws is said, and one may try again. `says` are elements.
export function second({title, says, act, kind = 'danger', does}) {
  opened += 1;
  const id = `second-${opened}`;
  const back = el('button', {type: 'button', on: {click: () => dialog.close()}}, 'Back');
  const go = el('button', {type: 'button', class: kind, on: {click: () => done()}}, act);
  const trouble = el('p', {class: 'notice', role: 'alert', 'data-tone': 'bad', hidden: true});
  const dialog = el('dialog', {class: 'second', 'aria-labelledby': id, 'aria-describedby': `${id}-says`},
    el('h2', {id}, title), el('div', {id: `${id}-says`}, says), trouble, el('p', {class: 'row'}, back, go));
  const done = async () => {
    go.disabled = true;
    try {
      await does();
      dialog.close();
    } catch (problem) {
      trouble.hidden = false;
      say(trouble, name(problem.message, 1000));
      go.disabled = false;
    }
  };
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  back.focus();
  return {close: () => dialog.close()};
}
