// Tools: which one is in trouble, since when and why, how fast, how dear.

import {el, fill} from '../draw.js';
import {byCode, sum} from '../refusals.js';
import {search} from '../search.js';
import {Table, compare} from '../table.js';
import {CIRCUIT, failing} from '../tones.js';
import {WHY, cents, count, latency, name, rate, share, some, span} from '../words.js';

export const path = 'tools';
export const title = 'Tools';

const WORSE = {open: 0, half_open: 1};
const rank = (row) => WORSE[row.circuit] ?? 2;

// Trouble first, then who is called most: as `holdfast top` has it.
export const worst = (a, b) =>
  Math.min(rank(a), 2) - Math.min(rank(b), 2) || b.per_second - a.per_second ||
  compare(a.upstream, b.upstream) || compare(a.tool, b.tool);

const keyOf = (row) => JSON.stringify([row.upstream, row.tool]);
const refusals = (row) => sum(row.refused);

// The columns of a table of tools.
export function columns(app) {
  return [
    {
      title: 'Tool', grow: true, by: (row) => `${row.upstream}/${row.tool}`,
      cell: (row) => ({
        text: `${name(row.upstream, 40)}/${name(row.tool)}`, title: name(row.tool, 400),
        href: app.link('tool', [row.upstream, row.tool]),
      }),
    },
    {title: 'Circuit', cell: circuit, by: rank},
    {
      title: 'Since', wide: 1, by: (row) => row.since ?? null,
      cell: (row) => ({text: row.since === undefined || row.since === null ? '–' : span(row.since), title: WHY[row.why] || ''}),
    },
    {title: 'Now', num: true, wide: 1, down: true, cell: now, by: (row) => row.in_flight},
    {title: 'Calls/s', num: true, down: true, cell: (row) => rate(row.per_second), by: (row) => row.per_second},
    {
      title: 'Failed', num: true, down: true, by: (row) => row.errors,
      cell: (row) => ({text: share(row.errors), tone: failing(row.errors)}),
    },
    {title: 'P95', num: true, wide: 2, down: true, cell: (row) => latency(row.p95), by: (row) => row.p95},
    {title: 'P99', num: true, down: true, wide: 1, cell: (row) => latency(row.p99), by: (row) => row.p99},
    {title: 'Refused', num: true, wide: 2, down: true, cell: (row) => ({text: some(refusals(row)), title: byCode(row.refused)}), by: refusals},
    {title: 'USD/h', num: true, wide: 1, down: true, cell: (row) => cents(row.cost_per_hour), by: (row) => Number(row.cost_per_hour)},
  ];
}

function circuit(row) {
  if (!row.circuit) return {text: '–', tone: 'dim'};
  return {text: row.circuit.replace('_', ' '), tone: CIRCUIT[row.circuit], title: WHY[row.why] || ''};
}

const now = (row) => (row.queued ? `${count(row.in_flight)} (${count(row.queued)} wait)` : count(row.in_flight));

// Rows with what their circuits say of the last change: that which is least well, where there are several.
export function joined(rows, circuits) {
  const found = new Map();
  for (const each of circuits.filter((one) => !one.shadow && one.tool)) {
    const key = keyOf(each);
    if (!found.has(key) || (WORSE[each.state] ?? 2) < (WORSE[found.get(key).state] ?? 2)) found.set(key, each);
  }
  return rows.map((row) => {
    const known = found.get(keyOf(row));
    return known ? {...row, since: known.for, why: known.why} : row;
  });
}

export function open(app, at) {
  const trouble = el('div', {});
  const table = new Table({
    label: 'Tools, with the rates of the last minute', key: keyOf, columns: columns(app), order: worst,
    empty: 'No tool was called yet.', rows: 24,
  });
  const field = search(app, at, table, (row) => `${row.upstream}/${row.tool} ${row.circuit || ''}`);
  let rows = [];
  let more = false;
  let circuits = [];
  const draw = () => { table.set(joined(rows, circuits)); field.told(table.shown, rows.length, more); };
  const watches = [
    app.api.watch('/v1/tools', {every: 2, query: {limit: 1000}, pages: 5}, (seen) => {
      fill(trouble, app.problem(seen));
      if (!seen.value) return;
      [rows, more] = [seen.items, seen.more];
      draw();
    }),
    app.api.watch('/v1/breakers', {every: 5, query: {limit: 1000}, pages: 5}, (seen) => {
      if (!seen.value) return;
      circuits = seen.items;
      draw();
    }),
  ];
  const node = el('div', {}, trouble, field.node, table.node);
  return {node, close: () => watches.forEach((watch) => watch.close())};
}
