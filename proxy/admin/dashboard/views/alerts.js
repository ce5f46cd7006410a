// Alerts.

import {el} from '../draw.js';

export const path = 'alerts';
export const title = 'Alerts';

export function open() {
  return {node: el('p', {}, 'Alerts'), close: () => {}};
}
