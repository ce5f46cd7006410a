// What is wrong now, above every view: kills, open circuits, alerts, calls that wait for people, the
// journal, a reload that failed, figures that are old. One line each: what, since when, and where
// more of it is.

import {Keyed, el, fill, say, show, tone} from './draw.js';
import {WHY, ago, between, count, name, plural, span} from './words.js';

const MOST = 3;

export class Alarms {
  #watch = null;
  #list;
  #known = null; // keys that were there before; null: nothing was looked at yet

  constructor(app, node) {
    this.app = app;
    this.node = node;
    const list = el('ul', {});
    fill(node, list);
    this.#list = new Keyed(list, {key: (line) => line.key, draw, update});
  }

  open() {
    this.#known = null;
    this.#watch = this.app.api.watch('/v1/overview', {every: 2}, (seen) => this.#saw(seen));
  }

  close() {
    this.#watch?.close();
    this.#list.set([]);
  }

  #saw(seen) {
    const all = lines(seen);
    show(this.node, all.length > 0);
    this.#list.set(all);
    const fresh = all.filter((line) => this.#known && !this.#known.has(line.key) && line.loud);
    if (fresh.length) this.app.shout(fresh.map((line) => line.text).join('. '));
    if (seen.value) this.#known = new Set(all.map((line) => line.key));
  }
}

function draw(line) {
  const word = el('strong', {});
  const text = el('a', {href: line.href});
  return el('li', {}, word, ' ', text);
}

function update(node, line) {
  const [word, , text] = node.childNodes;
  say(word, line.word);
  say(text, line.text);
  text.setAttribute('href', line.href);
  tone(node, line.tone);
}

// {key, word, text, tone, href, loud}, the worst first.
export function lines(seen) {
  const {value, problem} = seen;
  const told = problem ? [late(seen)] : [];
  if (!value) return told;
  return told.concat(
    kills(value), alerts(value), circuits(value), waiting(value.waiting), journal(value.journal),
    store(value.store), policies(value.policies),
  );
}

function late(seen) {
  return {
    key: 'late', word: 'NO ANSWER', tone: 'bad', loud: true, href: '#/overview',
    text: `${name(seen.problem.message, 300)}${seen.stale ? ' All figures are old.' : ''}`,
  };
}

function kills({kills: {count: all, items}, at}) {
  const shown = items.slice(0, MOST).map((kill) => ({
    key: `kill ${kill.scope}`, word: 'KILLED', tone: 'bad', loud: true, href: '#/kills',
    text: `${name(kill.scope)} ${ago(kill.since, at)}${left(kill.until, at)} by ${name(kill.by, 40)}: ${name(kill.reason, 200)}`,
  }));
  return shown.concat(rest('kills', all - shown.length, 'more killed', '#/kills'));
}

const left = (until, at) => (until ? `, ${span(Math.max(0, between(at, until)))} left` : '');

function alerts({alerts: standing, at}) {
  const shown = standing.items.slice(0, MOST).map((alert) => ({
    key: `alert ${alert.id}`, word: alert.severity === 'page' ? 'PAGE' : 'ALERT', loud: alert.severity === 'page',
    tone: alert.severity === 'page' ? 'bad' : 'warn', href: '#/alerts',
    text: `${name(alert.name, 60)} ${ago(alert.starts, at)}${seenTo(alert)}: ${name(alert.summary, 200)}`,
  }));
  return shown.concat(rest('alerts', standing.firing - shown.length, 'more alerts', '#/alerts'));
}

const seenTo = (alert) => (alert.acknowledged_by ? `, seen to by ${name(alert.acknowledged_by, 40)}` : '');

function circuits({open}) {
  const shown = open.items.slice(0, MOST).map((circuit) => ({
    key: `circuit ${circuit.bulkhead || ''}:${circuit.key}`, word: 'OPEN', tone: 'bad', loud: true,
    href: circuit.tool ? `#/tool/${[circuit.upstream, circuit.tool].map(encodeURIComponent).join('/')}` : `#/tools?q=${encodeURIComponent(circuit.upstream)}`,
    text: opened(circuit),
  }));
  return shown.concat(rest('circuits', open.count - shown.length, 'more circuits are open', '#/tools'));
}

export function opened(circuit) {
  const key = circuit.bulkhead ? `${name(circuit.bulkhead, 40)}: ${name(circuit.key)}` : name(circuit.key);
  const since = circuit.for === null ? '' : ` for ${span(circuit.for)}`;
  const why = circuit.why ? `: ${WHY[circuit.why] || name(circuit.why)}` : '';
  const probe = circuit.next_probe_in === null ? '' : `, a probe in ${span(circuit.next_probe_in)}`;
  return `${key}${since}${why}${probe}`;
}

function waiting(asked) {
  if (!asked.count) return [];
  const {oldest} = asked;
  const first = oldest ? `, the oldest for ${span(oldest.for)}: ${name(oldest.tool, 60)} by ${name(oldest.agent, 60)}` : '';
  return [{
    key: 'waiting', word: 'WAIT', tone: 'warn', loud: true, href: '#/approvals',
    text: `${plural(asked.count, 'call')} for a person${first}`,
  }];
}

function journal(kept) {
  if (!kept) return [];
  const wrong = [];
  if (!kept.ok) wrong.push(`it is ${name(kept.state)}, ${count(kept.held)} wait: ${name(kept.why, 200)}`);
  if (kept.dropped) wrong.push(`${plural(kept.dropped, 'record is', 'records are')} lost`);
  if (kept.tampered) wrong.push(`it does not hold: ${name(kept.tampered, 200)}`);
  if (!wrong.length) return [];
  return [{key: 'journal', word: 'JOURNAL', tone: 'bad', loud: true, href: '#/journal', text: wrong.join('; ')}];
}

function store(kept) {
  if (!kept || kept.grants) return [];
  return [{key: 'store', word: 'STORE', tone: 'bad', loud: true, href: '#/overview', text: name(kept.why || 'it grants nothing', 300)}];
}

function policies({rejected}) {
  if (!rejected) return [];
  return [{
    key: 'reload', word: 'RELOAD', tone: 'bad', loud: true, href: '#/policies',
    text: `the last one failed, and what was in force before still is: ${name(rejected.why, 300)}`,
  }];
}

function rest(key, number, words, href) {
  return number > 0 ? [{key: `${key} more`, word: '…', text: `${count(number)} ${words}`, tone: 'bad', href}] : [];
}
