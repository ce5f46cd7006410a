// Agents.

import {el} from '../draw.js';

export const path = 'agents';
export const title = 'Agents';

export function open() {
  return {node: el('p', {}, 'Agents'), close: () => {}};
}
