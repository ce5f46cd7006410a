// Small lines of how something went: an SVG that changes one attribute when it changes.

import {svg} from './draw.js';

const WIDTH = 120;
const HEIGHT = 28;

// {node, set(values, words)}: values, the oldest first, null where nothing is known; `words` say to
// those who do not see it what it shows. The scale begins at zero; `top` is its least upper end.
export function spark({top = 0} = {}) {
  const line = svg('path', {class: 'spark-line', d: '', fill: 'none'});
  const area = svg('path', {class: 'spark-area', d: ''});
  const title = svg('title', {});
  const node = svg('svg', {
    class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
  }, title, area, line);
  return {
    node,
    set(values, words) {
      const paths = drawn(values, top);
      if (line.getAttribute('d') !== paths.line) {
        line.setAttribute('d', paths.line);
        area.setAttribute('d', paths.area);
      }
      if (title.textContent !== words) title.textContent = words;
    },
  };
}

// The paths of a line and of what is below it. What is not known is a gap.
export function drawn(values, top = 0) {
  const known = values.filter((value) => value !== null);
  const high = Math.max(top, ...known, 1e-9);
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  const runs = [];
  let run = [];
  values.forEach((value, at) => {
    if (value === null) {
      if (run.length) runs.push(run);
      run = [];
    } else {
      const y = HEIGHT - 2 - (value / high) * (HEIGHT - 4);
      run.push([round(at * step), round(y)]);
    }
  });
  if (run.length) runs.push(run);
  return {line: runs.map(joined).join(''), area: runs.map(closed).join('')};
}

const round = (number) => Math.round(number * 10) / 10;
const joined = (run) => `M${(run.length > 1 ? run : [...run, run[0]]).map((at) => at.join(' ')).join('L')}`;
const closed = (run) => `${joined(run)}L${run.at(-1)[0]} ${HEIGHT}L${run[0][0]} ${HEIGHT}Z`;
