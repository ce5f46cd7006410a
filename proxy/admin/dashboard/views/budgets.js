// Budgets.

import {el} from '../draw.js';

export const path = 'budgets';
export const title = 'Budgets';

export function open() {
  return {node: el('p', {}, 'Budgets'), close: () => {}};
}
