// Overview.

import {el} from '../draw.js';

export const path = 'overview';
export const title = 'Overview';

export function open() {
  return {node: el('p', {}, 'Overview'), close: () => {}};
}
