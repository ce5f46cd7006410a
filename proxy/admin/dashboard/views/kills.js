// Kills: what is stopped; stopping something in two steps; letting it go on, in two as well.

import {el, fill, say, show} from '../draw.js';
import {KINDS, meets, parts, stops} from '../scopes.js';
import {second} from '../second.js';
import {Table, compare} from '../table.js';
import {ticking} from '../ticking.js';
import {ago, name, plural, time} from '../words.js';

export const path = 'kills';
export const title = 'Kill switch';

const LONGEST = 500;
const UNTIL = [['', 'Somebody revives it'], ['1800', '30 minutes from now'], ['7200', '2 hours from now'], ['28800', '8 hours from now'], ['86400', 'A day from now']];
const FROM = {admin: 'a person', file: 'the file kill', policies: 'the policies', signal: 'a signal', alerts: 'an alert', budget: 'a budget', loop: 'a loop'};

export function open(app, at) {
  const view = new Kills(app, at);
  return {node: view.node, close: () => view.close()};
}

class Kills {
  #app;
  #dialog = null;
  #items = [];
  #ends;

  constructor(app, at) {
    this.#app = app;
    this.trouble = el('div', {});
    this.told = el('div', {role: 'status'});
    this.table = new Table({
      label: 'What is killed', key: (row) => `${row.scope} ${row.from}`, columns: this.#columns(),
      order: (a, b) => compare(a.since, b.since), empty: 'Nothing is killed.', rows: 10,
    });
    const form = app.me.may('operator') ? this.#form(at) : el('p', {class: 'dim'}, app.me.why || 'An operator stops calls, and lets them go on; your token has not that role.');
    this.node = el('div', {}, this.trouble, this.told, this.table.node,
      el('section', {class: 'panel', 'aria-label': 'Stop calls'}, el('h2', {}, 'Stop calls'), form));
    const watch = app.api.watch('/v1/kills', {every: 2, query: {limit: 1000}, pages: 5}, (seen) => {
      fill(this.trouble, app.problem(seen));
      if (!seen.value) return;
      this.#items = seen.items;
      this.table.set(seen.items);
    });
    this.#ends = [() => watch.close(), ticking(() => this.table.set(this.#items))];
  }

  close() {
    this.#ends.forEach((end) => end());
    this.#dialog?.close();
  }

  #columns() {
    const now = () => new Date().toISOString();
    return [
      {title: 'What', cell: (row) => ({text: name(row.scope, 60), title: stops(row.scope), tone: 'bad'}), by: (row) => row.scope},
      {title: 'Why', grow: true, cell: (row) => ({text: name(row.reason, 200), title: name(row.reason, 500)})},
      {title: 'Since', wide: 1, cell: (row) => ({text: ago(row.since, now()), title: time(row.since)}), by: (row) => row.since},
      {title: 'By', wide: 2, cell: (row) => ({text: name(row.by, 40), title: FROM[row.from] || name(row.from)}), by: (row) => row.by},
      {title: 'Until', wide: 2, cell: (row) => (row.until ? time(row.until) : 'revived'), by: (row) => row.until},
      {title: 'Under way', wide: 2, cell: (row) => (row.in_flight === 'finish' ? 'may finish' : 'ended')},
      {title: 'Let go', cell: (row) => this.#lets(row)},
    ];
  }

  #lets(row) {
    if (row.at) return {text: `in ${name(row.at, 60)}`, title: 'It goes when the line is taken out there.'};
    if (!this.#app.me.may('operator')) return {text: '–', tone: 'dim'};
    return {text: 'Revive', act: {text: 'Revive', does: () => this.#revive(row)}};
  }

  // The first step of a kill.
  #form(at) {
    const kind = el('select', {id: 'kill-kind'}, KINDS.map(([value, words]) => el('option', {value}, words)));
    const hint = el('span', {class: 'dim', id: 'kill-hint'});
    const of = el('input', {id: 'kill-name', maxlength: 256, autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'kill-hint'});
    const reason = el('input', {id: 'kill-reason', maxlength: LONGEST, autocomplete: 'off', required: true});
    const until = el('select', {id: 'kill-until'}, UNTIL.map(([value, words]) => el('option', {value}, words)));
    const flight = el('select', {id: 'kill-flight'}, el('option', {value: 'end'}, 'Are ended now'), el('option', {value: 'finish'}, 'May finish'));
    const field = (label, input, more) => el('p', {class: 'field'}, el('label', {for: input.id}, label), input, more);
    const named = field('Which', of, hint);
    const turn = () => {
      const [, , words] = KINDS.find(([value]) => value === kind.value);
      show(named, kind.value !== 'all');
      of.required = kind.value !== 'all';
      say(hint, words);
    };
    kind.addEventListener('change', turn);
    const [asked, whose] = parts(at.query.get('scope') || '');
    if (KINDS.some(([value]) => value === asked)) [kind.value, of.value] = [asked, whose];
    turn();
    const submit = (event) => {
      event.preventDefault();
      const scope = kind.value === 'all' ? 'all' : `${kind.value}:${of.value.trim()}`;
      if (reason.value.trim()) this.#throw({scope, reason: reason.value.trim(), until: until.value, in_flight: flight.value}, form);
    };
    const form = el('form', {class: 'fields', autocomplete: 'off', on: {submit}},
      field('What', kind), named, field('Why', reason), field('Until', until), field('Calls under way', flight),
      el('p', {class: 'row'}, el('button', {type: 'submit', class: 'main'}, 'Next: what it does')));
    return form;
  }

  // The second: what it does, and then it is done.
  #throw(kill, form) {
    const met = el('p', {}, 'Looking at what it meets …');
    meets(this.#app.api, kill.scope).then((words) => say(met, words), () => say(met, ''));
    const [, words] = UNTIL.find(([value]) => value === kill.until);
    const flight = kill.in_flight === 'end' ? 'Calls under way are ended now, writes too: whether those ran nobody will know.' : 'Calls under way go on to their end, and are not sent again.';
    this.#dialog = second({
      title: `Kill ${name(kill.scope, 80)}?`,
      says: [
        el('p', {}, `It stops ${stops(kill.scope)}. They are refused, and told not to try again, until ${words.toLowerCase()}.`),
        el('p', {}, flight), met,
        el('p', {}, `Reason: ${name(kill.reason, LONGEST)}`),
        el('p', {class: 'dim'}, 'It counts at once, at all pods of the fleet, and holds over restarts. The journal keeps who did it.'),
      ],
      act: `Kill ${name(kill.scope, 60)}`,
      does: async () => {
        const body = {scope: kill.scope, reason: kill.reason, in_flight: kill.in_flight};
        if (kill.until) body.until = new Date(Date.now() + Number(kill.until) * 1000).toISOString();
        this.#said(await this.#app.api.send('POST', '/v1/kills', body), killed);
        form.reset();
        form.querySelector('select').dispatchEvent(new Event('change'));
      },
    });
  }

  #revive(row) {
    const reason = el('input', {id: 'revive-reason', maxlength: LONGEST, autocomplete: 'off'});
    this.#dialog = second({
      title: `Revive ${name(row.scope, 80)}?`,
      says: [
        el('p', {}, `It lets go on ${stops(row.scope)}. It was stopped ${ago(row.since, new Date().toISOString())} by ${name(row.by, 60)}: ${name(row.reason, LONGEST)}`),
        el('p', {class: 'field'}, el('label', {for: reason.id}, 'Why it may go on'), reason),
      ],
      act: `Revive ${name(row.scope, 60)}`,
      kind: 'main',
      does: async () => {
        const way = `/v1/kills/${encodeURIComponent(row.scope)}`;
        this.#said(await this.#app.api.send('DELETE', way, undefined, {reason: reason.value.trim()}), revived);
      },
    });
  }

  #said(answer, words) {
    const told = words(answer);
    this.#app.say(told);
    fill(this.told, el('p', {class: 'notice'}, told),
      answer.warnings.map((warning) => el('p', {class: 'notice', 'data-tone': 'bad'}, name(warning, 1000))));
    this.#app.api.kick('/v1/kills', '/v1/overview');
  }
}

const pods = (answer) => (answer.pods ? `, at ${plural(answer.pods, 'pod')}` : '');
const killed = (answer) =>
  `${name(answer.scope)} is killed${pods(answer)}: ${plural(answer.stopped, 'call was', 'calls were')} stopped.${answer.durable ? '' : ' A restart would forget it.'}`;
const revived = (answer) =>
  `${name(answer.scope)} goes on${pods(answer)}.${answer.still_killed.length ? ` Still killed: ${answer.still_killed.map((each) => name(each.scope, 60)).join(', ')}.` : ''}`;
