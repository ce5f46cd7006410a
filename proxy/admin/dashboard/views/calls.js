// Calls: a few of those that end each second, as they do, and all that the journal has of them.

import {OUTCOMES} from '../codes.js';
import {el, say, show, tone} from '../draw.js';
import {MOST, Rows, ended, fitting, newest, rowOf, spent} from '../live.js';
import {micros} from '../story.js';
import {Table} from '../table.js';
import {count, name, plural, time} from '../words.js';

export const path = 'calls';
export const title = 'Calls';

const ASKED = [['agent', 'Agent'], ['tool', 'Tool'], ['upstream', 'Upstream'], ['workflow', 'Workflow'], ['task', 'Task']];
const PAGE = 100;

export function open(app, at) {
  const view = new Calls(app, at);
  view.search();
  return {node: view.node, close: () => view.close(), turn: (next) => view.turn(next)};
}

class Calls {
  #app;
  #rows = new Rows();
  #asked = {};
  #fits = () => true;
  #paused = false;
  #waiting = []; // that came while it was paused
  #next = null; // where the journal's older calls begin
  #number = 0;
  #asking = null;
  #off;

  constructor(app, at) {
    this.#app = app;
    this.trouble = el('p', {class: 'notice', role: 'status', hidden: true});
    this.live = el('p', {class: 'dim live'});
    this.pause = el('button', {type: 'button', 'aria-pressed': 'false', on: {click: () => this.#turn()}}, 'Pause');
    this.older = el('button', {type: 'button', on: {click: () => this.#older()}}, 'Older calls');
    this.table = new Table({
      label: 'Calls, the newest first', key: (row) => row.id, columns: columns(app), order: newest, empty: 'No call fits.', rows: 20,
    });
    this.form = this.#form();
    this.node = el('div', {}, this.form, el('div', {class: 'row'}, this.pause, this.live), this.trouble, this.table.node, el('p', {class: 'row'}, this.older));
    this.#ask(at);
    this.#off = [
      app.stream.on('calls', (told) => this.#hear(told)),
      app.stream.on('state', () => this.#standing()),
    ];
    this.#standing();
  }

  close() {
    this.#off.forEach((off) => off());
    this.#asking?.abort();
  }

  turn(at) {
    this.#ask(at);
    this.search();
  }

  // What the address asks for is what is asked for.
  #ask(at) {
    for (const [key, input] of Object.entries(this.inputs)) {
      input.value = at.query.get(key) || '';
      this.#asked[key] = input.value.trim();
    }
    this.#fits = fitting(Object.fromEntries(['agent', 'tool', 'upstream', 'workflow', 'task', 'outcome'].map((key) => [key, this.#asked[key]])));
  }

  #form() {
    const field = (key, label, input) => el('p', {class: 'field'}, el('label', {for: `call-${key}`}, label), input);
    this.inputs = Object.fromEntries(ASKED.map(([key]) => [key, el('input', {id: `call-${key}`, autocomplete: 'off', spellcheck: 'false', maxlength: 200})]));
    this.inputs.outcome = el('select', {id: 'call-outcome'}, ['', ...Object.keys(OUTCOMES)].map((value) => el('option', {value}, value || 'any')));
    this.inputs.since = el('input', {id: 'call-since', placeholder: '15m', autocomplete: 'off', maxlength: 40});
    this.inputs.min_cost = el('input', {id: 'call-min_cost', inputmode: 'decimal', placeholder: '0.05', autocomplete: 'off', maxlength: 20});
    const submit = (event) => {
      event.preventDefault();
      const query = Object.fromEntries(Object.entries(this.inputs).map(([key, input]) => [key, input.value.trim()]));
      this.#app.put(query);
      this.turn({query: new URLSearchParams(Object.entries(query).filter(([, value]) => value))});
    };
    return el('form', {class: 'fields', autocomplete: 'off', role: 'search', 'aria-label': 'Which calls', on: {submit}},
      ASKED.map(([key, label]) => field(key, label, this.inputs[key])),
      field('outcome', 'Outcome', this.inputs.outcome), field('since', 'Since', this.inputs.since), field('min_cost', 'From USD', this.inputs.min_cost),
      el('p', {class: 'row'}, el('button', {type: 'submit', class: 'main'}, 'Search')));
  }

  // Reads the journal anew.
  async search() {
    this.#rows.clear();
    this.#waiting = [];
    this.#next = null;
    await this.#read();
  }

  async #older() {
    const before = document.activeElement === this.older;
    await this.#read(this.#next);
    if (before && this.older.hidden) this.table.scroller.focus();
  }

  async #read(cursor = null) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    this.older.disabled = true;
    try {
      const page = await this.#app.api.get('/v1/calls', {...this.#asked, limit: PAGE, cursor}, asking.signal);
      this.#rows.add(page.items.map((each) => rowOf(each, Date.parse(each.ts), each.seq)));
      this.#next = page.next;
      this.#trouble('');
      this.#draw();
    } catch (problem) {
      if (!asking.signal.aborted) this.#trouble(problem.message);
    } finally {
      this.older.disabled = false;
    }
  }

  #trouble(words) {
    show(this.trouble, Boolean(words));
    tone(say(this.trouble, words ? name(words, 600) : ''), 'bad');
  }

  // A few of the calls that ended in the last second.
  #hear({calls, left_out: others}) {
    this.others = others;
    const now = this.#app.api.now();
    const rows = calls.map((each) => rowOf(each, now, (this.#number += 1))).filter(this.#fits);
    if (this.#paused) this.#waiting = [...this.#waiting, ...rows].slice(-MOST);
    else this.#rows.add(rows);
    this.#standing();
    if (!this.#paused && rows.length) this.#draw();
  }

  #draw() {
    const list = this.#rows.list;
    this.table.set(list);
    const full = list.length >= MOST;
    show(this.older, Boolean(this.#next) && !full);
    this.#standing();
  }

  #turn() {
    this.#paused = !this.#paused;
    say(this.pause, this.#paused ? 'Go on' : 'Pause');
    this.pause.setAttribute('aria-pressed', String(this.#paused));
    if (!this.#paused) {
      this.#rows.add(this.#waiting);
      this.#waiting = [];
      this.#draw();
    }
    this.#standing();
  }

  #standing() {
    const state = {live: 'Live', opening: 'Live: connecting', waiting: 'Live: connecting again', off: 'Not live'}[this.#app.stream.state];
    const more = this.others ? `of each second a few (${count(this.others)} more in the last one); search again for all` : '';
    const held = this.#paused ? `paused, ${plural(this.#waiting.length, 'call')} came meanwhile` : '';
    say(this.live, [state, held, more, `${count(this.table.shown)} shown, ${MOST} at most`].filter(Boolean).join(' · '));
  }
}

function columns(app) {
  return [
    {
      title: 'When', by: (row) => row.at,
      cell: (row) => ({text: time(row.at), href: app.link('call', [row.id]), title: name(row.id)}),
    },
    {title: 'Agent', wide: 1, cell: (row) => name(row.agent, 40), by: (row) => row.agent},
    {title: 'Called', grow: true, cell: (row) => ({text: `${name(row.upstream, 40)}/${name(row.tool)}`, title: name(row.tool, 400)}), by: (row) => `${row.upstream}/${row.tool}`},
    {title: 'Outcome', cell: ended, by: (row) => row.outcome},
    {title: 'Status', num: true, wide: 1, cell: (row) => String(row.status || '–'), by: (row) => row.status},
    {title: 'Sent', num: true, wide: 2, cell: (row) => (row.attempts === 1 ? 'once' : `${count(row.attempts)} times`), by: (row) => row.attempts},
    {title: 'Took', num: true, down: true, cell: (row) => micros(row.us), by: (row) => row.us},
    {title: 'USD', num: true, wide: 2, down: true, cell: spent, by: (row) => row.micros},
  ];
}
