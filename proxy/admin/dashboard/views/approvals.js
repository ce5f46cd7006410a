// Approvals: what waits for people; which of them, and the exact call, is case.js.

import {Case, STATES, standing} from '../case.js';
import {el, fill, show} from '../draw.js';
import {Table, compare} from '../table.js';
import {since, ticking} from '../ticking.js';
import {count, name, plural, span} from '../words.js';

export const path = 'approvals';
export const title = 'Approvals';

const RANK = ['pending', 'review', 'approved', 'denied', 'used'];
const order = (a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state) || compare(a.asked, b.asked) || compare(a.id, b.id);

export function open(app, at) {
  const view = new Approvals(app);
  view.turn(at);
  return {node: view.node, close: () => view.close(), turn: (next) => view.turn(next)};
}

class Approvals {
  #app;
  #items = [];
  #got = 0; // when, by this page's clock
  #value = null;
  #case = null;
  #table;
  #ends;

  constructor(app) {
    this.#app = app;
    this.trouble = el('div', {});
    this.unseen = el('p', {class: 'notice', 'data-tone': 'warn', hidden: true});
    this.number = el('p', {class: 'dim'});
    this.place = el('div', {});
    this.#table = new Table({
      label: 'Calls that people are asked about', key: (row) => row.id, columns: this.#columns(), order,
      empty: 'No call waits for a person.', rows: 8,
    });
    this.node = el('div', {}, this.trouble, this.unseen, this.number, this.#table.node, this.place);
    const watch = app.api.watch('/v1/approvals', {every: 2, query: {limit: 1000}}, (seen) => this.#saw(seen));
    this.#ends = [() => watch.close(), ticking(() => this.#tick())];
  }

  turn(at) {
    const [id = ''] = at.rest;
    if (this.#case?.id === id) return;
    this.#case?.close();
    if (this.#case && !id) this.#table.scroller.focus(); // what had the focus goes
    this.#case = id ? new Case(this.#app, id) : null;
    fill(this.place, this.#case?.node);
    this.#case?.set(this.#items.find((each) => each.id === id), this.#got);
    if (id) this.#case.heading.focus();
  }

  close() {
    this.#ends.forEach((end) => end());
    this.#case?.close();
  }

  #saw(seen) {
    fill(this.trouble, this.#app.problem(seen));
    if (!seen.value || seen.value === this.#value) return;
    [this.#value, this.#items, this.#got] = [seen.value, seen.items, Date.now()];
    show(this.unseen, Boolean(seen.value.unseen));
    this.unseen.textContent = name(seen.value.unseen, 400);
    const waiting = seen.items.filter((each) => each.state === 'pending').length;
    this.number.textContent = seen.items.length
      ? `${plural(waiting, 'call waits', 'calls wait')}, ${count(seen.items.length - waiting)} others` : '';
    this.#table.set(seen.items);
    this.#case?.set(seen.items.find((each) => each.id === this.#case.id), this.#got);
  }

  #tick() {
    this.#table.set(this.#items);
    this.#case?.tick();
  }

  #columns() {
    const left = (row) => (row.expires_in === null ? null : Math.max(0, row.expires_in - since(this.#got)));
    return [
      {
        title: 'Call', grow: true, by: (row) => `${row.upstream}/${row.tool}`,
        cell: (row) => ({
          text: `${name(row.upstream, 40)}/${name(row.tool)}`, title: name(row.tool, 400),
          href: this.#app.link('approvals', [row.id]),
        }),
      },
      {title: 'Agent', cell: (row) => name(row.agent, 40), by: (row) => row.agent},
      {title: 'State', cell: (row) => ({text: STATES[row.state]?.[0] || name(row.state), tone: STATES[row.state]?.[1]}), by: (row) => RANK.indexOf(row.state)},
      {title: 'Agreed', wide: 1, cell: (row) => standing(row)},
      {
        title: 'Ends in', num: true, by: left,
        cell: (row) => ({text: row.state === 'used' ? '–' : span(left(row)), tone: left(row) < 60 && row.state === 'pending' ? 'warn' : ''}),
      },
      {title: 'Policy', wide: 2, cell: (row) => name(row.policy, 40), by: (row) => row.policy},
    ];
  }
}
