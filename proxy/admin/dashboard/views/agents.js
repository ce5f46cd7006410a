// Agents: who calls, how much, how that goes, what it costs.

import {el, fill} from '../draw.js';
import {byCode, sum} from '../refusals.js';
import {search} from '../search.js';
import {Table, compare} from '../table.js';
import {ticking} from '../ticking.js';
import {ago, count, latency, money, name, rate, share, some} from '../words.js';
import {failing} from '../tones.js';

export const path = 'agents';
export const title = 'Agents';

const TONES = {critical: 'bad', degraded: 'warn', healthy: 'good', unknown: 'dim'};
const RANKS = {critical: 0, degraded: 1, healthy: 2, unknown: 3};
const refusals = (row) => sum(row.refused);
const called = (row) => (row.others ? 'others' : row.id === null ? 'nobody knew' : name(row.id));
const strange = (row) => Object.entries(row.anomalies || {});

export const keyOf = (row) => JSON.stringify([row.others, row.id]);

// The columns of a table of agents; `few` where there is little room.
export function columns(app, few = false) {
  const all = [
    {
      title: 'Agent', grow: true, by: called,
      cell: (row) => ({
        text: called(row), title: row.id ? name(row.id, 400) : '', tone: row.id ? '' : 'dim',
        href: row.id && row.id.length <= 200 ? app.link('calls', [], {agent: row.id}) : null,
      }),
    },
    {
      title: 'Health', by: (row) => RANKS[row.health] ?? 4, wide: few ? 1 : 0,
      cell: (row) => ({text: row.health || '–', tone: TONES[row.health] || 'dim'}),
    },
    {title: 'Now', num: true, wide: 1, down: true, cell: (row) => some(row.in_flight), by: (row) => row.in_flight},
    {title: 'Calls/s', num: true, down: true, cell: (row) => rate(row.per_second), by: (row) => row.per_second},
    {
      title: 'Failed', num: true, down: true, by: (row) => row.errors_lately,
      cell: (row) => ({text: share(row.errors_lately), tone: failing(row.errors_lately)}),
    },
    {title: 'P99', num: true, wide: 2, down: true, cell: (row) => latency(row.p99), by: (row) => row.p99 ?? null, long: true},
    {
      title: 'Refused', num: true, wide: 1, down: true, by: refusals, long: true,
      cell: (row) => ({text: some(refusals(row)), title: byCode(row.refused)}),
    },
    {
      title: 'Unusual', wide: 2, down: true, long: true, by: (row) => strange(row).length,
      cell: (row) => ({
        text: strange(row).map(([signal, number]) => `${name(signal, 30)} ${count(number)}`).join(', ') || '–',
        tone: strange(row).length ? 'warn' : 'dim',
      }),
    },
    {title: 'Last', num: true, wide: 1, down: true, cell: (row) => ago(row.last_seen, row.at), by: (row) => row.last_seen},
    {title: 'USD today', num: true, down: true, cell: (row) => money(row.spent), by: (row) => Number(row.spent)},
  ];
  if (few) return all.filter((column) => !column.long);
  return app.me.may('operator') ? [...all, stops(app)] : all;
}

// The way to the kill switch, where what it does is said first: nobody has to copy a name by hand.
const stops = (app) => ({
  title: 'Stop', wide: 1,
  cell: (row) => (row.id ? {text: 'Stop …', act: {text: 'Stop …', does: (agent) => app.go(app.link('kills', [], {scope: `agent:${agent.id}`}))}} : '–'),
});

const busy = (a, b) =>
  compare(b.per_second, a.per_second) || compare(b.in_flight, a.in_flight) || compare(b.last_seen, a.last_seen) || compare(keyOf(a), keyOf(b));

export function open(app, at) {
  const trouble = el('div', {});
  const table = new Table({
    label: 'Agents, the busiest first', key: keyOf, columns: columns(app), order: busy,
    empty: 'No agent has called yet.', rows: 24,
  });
  const field = search(app, at, table, (row) => `${called(row)} ${row.health || ''}`);
  const note = el('p', {class: 'dim'}, 'Rates are those of the last minute; what was refused is since the start.');
  let items = [];
  const draw = () => {
    const now = new Date(app.api.now()).toISOString();
    table.set(items.map((item) => ({...item, at: now})));
  };
  const watch = app.api.watch('/v1/agents', {every: 2, query: {limit: 1000}, pages: 2}, (seen) => {
    fill(trouble, app.problem(seen));
    if (!seen.value) return;
    items = seen.items;
    draw();
    field.told(table.shown, seen.items.length);
  });
  const off = ticking(draw);
  return {node: el('div', {}, trouble, field.node, table.node, note), close: () => { watch.close(); off(); }};
}
