// Budgets: what may be spent, by whom, what was, and when there is room again.

import {el, fill, say} from '../draw.js';
import {search} from '../search.js';
import {Table, compare} from '../table.js';
import {ticking} from '../ticking.js';
import {between, count, money, name, share, span} from '../words.js';
import {full} from '../tones.js';

export const path = 'budgets';
export const title = 'Budgets';

const MOST = 20; // pages of a thousand accounts

// One row for each window of each account.
export function windowsOf(accounts, at) {
  return accounts.flatMap((account) => account.windows.map((window, number) => ({...window, account, number, at})));
}

export const keyOf = (row) => JSON.stringify([row.account.budget, row.account.key, row.number]);

const whose = (row) => (row.account.key === null ? row.account.per : `${row.account.per} ${name(row.account.key, 60)}`);
const length = (row) => (row.seconds ? `${span(row.seconds)}` : name(row.window, 20));
const resets = (row) => (row.resets_at ? between(row.at, row.resets_at) : null);

export function columns(few = false) {
  const all = [
    {title: 'Budget', grow: true, by: (row) => row.account.budget, cell: (row) => ({
      text: `${name(row.account.budget, 40)}: ${whose(row)}`, title: name(row.account.key, 400),
    })},
    {title: 'Window', cell: length, by: (row) => row.window},
    {title: 'Used', down: true, by: (row) => row.share, cell: (row) => ({
      text: share(row.share, 0), bar: row.share, tone: full(row.share),
    })},
    {title: 'Spent', num: true, wide: 1, long: true, cell: (row) => money(row.spent)},
    {title: 'Reserved', num: true, wide: 2, long: true, cell: (row) => money(row.reserved)},
    {title: 'Left', num: true, cell: (row) => money(row.left)},
    {title: 'Limit', num: true, wide: 1, long: true, cell: (row) => money(row.limit)},
    {title: 'Overrun', num: true, wide: 2, long: true, cell: (row) => ({
      text: money(row.account.overrun), tone: /[1-9]/.test(row.account.overrun) ? 'warn' : 'dim',
    })},
    {title: 'When full', wide: 2, long: true, cell: (row) => row.account.on_exceed},
    {title: 'Resets in', num: true, wide: 1, by: resets, cell: (row) => span(resets(row))},
  ];
  return few ? all.filter((column) => !column.long) : all;
}

export function open(app, at) {
  const trouble = el('div', {});
  const table = new Table({
    label: 'Budgets, the fullest first', key: keyOf, columns: columns(), rows: 24,
    order: (a, b) => compare(b.share, a.share) || compare(keyOf(a), keyOf(b)),
  });
  const field = search(app, at, table, (row) => `${row.account.budget} ${whose(row)} ${row.window}`);
  const more = el('button', {type: 'button', hidden: true}, 'Load more');
  const note = el('p', {class: 'dim'}, 'US dollars. Used is what is spent and what is reserved for calls under way.');
  let accounts = [];
  let pages = 1;
  let watch = null;
  const draw = () => {
    const rows = windowsOf(accounts, new Date(app.api.now()).toISOString());
    table.set(rows);
    return rows.length;
  };
  const look = () => {
    watch?.close();
    watch = app.api.watch('/v1/budgets', {every: 5, query: {limit: 1000}, pages}, (seen) => {
      fill(trouble, app.problem(seen));
      if (!seen.value) return;
      accounts = seen.items;
      const all = draw();
      table.nothing('No policy sets a budget, or no row has these words.');
      field.told(table.shown, all);
      more.hidden = !seen.more || pages >= MOST;
      say(more, `Load more than ${count(seen.items.length)} accounts`);
    });
  };
  more.addEventListener('click', () => { pages = Math.min(MOST, pages * 2); look(); });
  look();
  const off = ticking(draw);
  return {node: el('div', {}, trouble, field.node, table.node, more, note), close: () => { watch.close(); off(); }};
}
