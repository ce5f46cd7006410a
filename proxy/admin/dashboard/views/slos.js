// SLOs: what was promised, whether it holds, how much of each error budget is left.

import {el, fill} from '../draw.js';
import {search} from '../search.js';
import {Table, compare} from '../table.js';
import {SLO} from '../tones.js';
import {count, fixed, name, share, span} from '../words.js';

export const path = 'slos';
export const title = 'SLOs';

const RANKS = {exhausted: 0, burning: 1, ok: 2, insufficient_data: 3};
const remaining = (row) => row.budget?.remaining ?? null;
const exhausts = (row) => row.budget?.exhausts_in ?? null;
const fastest = (row) => row.burn.reduce((most, each) => ((each.rate ?? -1) > (most?.rate ?? -1) ? each : most), null);
const lack = (left) => (left <= 0.1 ? 'bad' : left <= 0.25 ? 'warn' : '');
const holding = (row) => row.alerts.filter((each) => each.holds);

const COLUMNS = [
  {title: 'SLO', grow: true, by: (row) => row.slo, cell: (row) => ({text: name(row.slo), title: name(row.from, 200)})},
  {title: 'Is', by: (row) => RANKS[row.state] ?? 4, cell: (row) => ({text: row.state.replace('_', ' '), tone: SLO[row.state]})},
  {title: 'Of', wide: 1, cell: (row) => `${row.sli} per ${row.per}${row.threshold ? ` within ${row.threshold}` : ''}`},
  {title: 'Objective', num: true, wide: 1, by: (row) => row.objective, cell: (row) => `${fixed(row.objective * 100, 2).replace(/\.?0+$/, '')}% in ${row.window}`},
  {title: 'Left', by: remaining, cell: (row) => ({
    text: share(remaining(row), 0), bar: remaining(row) ?? undefined, barTone: lack(remaining(row)), tone: remaining(row) === null ? 'dim' : remaining(row) <= 0 ? 'bad' : '',
    title: 'of its error budget',
  })},
  {title: 'Gone in', num: true, wide: 1, by: exhausts, cell: (row) => (exhausts(row) === 0 ? 'gone' : span(exhausts(row)))},
  {title: 'Burns', num: true, wide: 2, down: true, by: (row) => fastest(row)?.rate ?? null, cell: (row) => {
    const most = fastest(row);
    return most?.rate === null || !most ? '–' : `${fixed(most.rate, 1)}× in ${most.window}`;
  }},
  {title: 'Bad', num: true, wide: 1, down: true, by: (row) => row.bad, cell: (row) => `${count(row.bad)} of ${count(row.good + row.bad)}`},
  {title: 'Alerts', wide: 2, by: (row) => holding(row).length, down: true, cell: (row) => ({
    text: holding(row).map((each) => `${each.severity} (${each.long})`).join(', ') || '–', tone: holding(row).length ? 'bad' : 'dim',
  })},
  {title: 'Then', wide: 2, cell: (row) => ({
    text: row.on_exhausted.does.join(', ') || '–', tone: row.on_exhausted.in_force ? 'bad' : 'dim',
    title: row.on_exhausted.in_force ? 'it is in force' : 'when nothing is left',
  })},
];

export function open(app, at) {
  const trouble = el('div', {});
  const table = new Table({
    label: 'SLOs, those with the least left first', key: (row) => row.slo, columns: COLUMNS, rows: 24,
    order: (a, b) => (RANKS[a.state] ?? 4) - (RANKS[b.state] ?? 4) || compare(remaining(a) ?? 2, remaining(b) ?? 2) || compare(a.slo, b.slo),
    empty: 'No policy sets an SLO.',
  });
  const field = search(app, at, table, (row) => `${row.slo} ${row.state} ${row.sli}`);
  const watch = app.api.watch('/v1/slos', {every: 5, query: {limit: 1000}}, (seen) => {
    fill(trouble, app.problem(seen));
    if (!seen.value) return;
    table.set(seen.items);
    field.told(table.shown, seen.items.length, seen.more);
  });
  return {node: el('div', {}, trouble, field.node, table.node), close: () => watch.close()};
}
