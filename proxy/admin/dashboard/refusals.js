// Calls that were refused, by code: {circuit_open: 3, killed: 1}.

import {count, name} from './words.js';

export const sum = (refused) => Object.values(refused).reduce((all, number) => all + number, 0);

// Each code with its number, the most first.
export const byCode = (refused) => Object.entries(refused).sort((a, b) => b[1] - a[1])
  .map(([code, number]) => `${name(code, 60)} ${count(number)}`).join(', ');
