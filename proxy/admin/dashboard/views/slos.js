// SLOs.

import {el} from '../draw.js';

export const path = 'slos';
export const title = 'SLOs';

export function open() {
  return {node: el('p', {}, 'SLOs'), close: () => {}};
}
