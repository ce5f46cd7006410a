// The first look: which tool, which agent, since when, what it costs. It is `/v1/overview`, which
// `holdfast top` shows as well, so that both have the same figures.

import {Keyed, el, fill, panel, say, tile, tone} from '../draw.js';
import {byCode} from '../refusals.js';
import {spark} from '../spark.js';
import {Table} from '../table.js';
import {SLO, failing} from '../tones.js';
import {cents, count, latency, money, name, rate, share, span, time} from '../words.js';
import {columns as agentColumns, keyOf as agentKey} from './agents.js';
import {columns as budgetColumns, keyOf as budgetKey, windowsOf} from './budgets.js';
import {columns as toolColumns, joined, worst} from './tools.js';

export const path = 'overview';
export const title = 'Overview';

const TOOLS = 10;
const NEWS = 12;
const WORDS = {
  circuit: (told) => `circuit of ${name(told.upstream, 40)}${told.tool ? `/${name(told.tool, 60)}` : ''} ${told.after.replace('_', ' ')}`,
  kill: (told) => told.scope ? `${told.state} ${name(told.scope)} by ${name(told.by, 40)}` : name(told.message, 200),
  alert: (told) => `${name(told.name, 40)} ${told.state}: ${name(told.summary, 160)}`,
  approval: (told) => `${told.state} ${name(told.tool, 60)} by ${name(told.agent, 60)}`,
  budget: (told) => `${name(told.budget, 40)} of ${name(told.key, 60)} at ${told.percent}%`,
  reload: (told) => `policies ${told.state}`,
};

export function open(app) {
  const trouble = el('div', {});
  const figures = new Figures(app);
  const tools = new Table({
    label: 'Tools, those in trouble first', key: (row) => JSON.stringify([row.upstream, row.tool]),
    columns: toolColumns(app), order: worst, empty: 'No tool was called yet.', rows: TOOLS,
  });
  const agents = new Table({
    label: 'Agents, the busiest first', key: agentKey, columns: agentColumns(app, true), empty: 'No agent has called yet.', rows: 8,
  });
  const budgets = new Table({
    label: 'Budgets, the fullest first', key: budgetKey, columns: budgetColumns(true), empty: 'Nothing of a budget is spent.', rows: 8,
    order: (a, b) => b.share - a.share,
  });
  const refused = el('p', {class: 'dim'});
  const objectives = new Objectives();
  const news = new News(app);
  const agentCount = el('span', {class: 'dim'});
  const watch = app.api.watch('/v1/overview', {every: 2}, (seen) => {
    fill(trouble, app.problem(seen));
    const {value} = seen;
    if (!value) return;
    figures.set(value);
    tools.set(joined(value.tools, value.open.items));
    agents.set(value.agents.items.map((item) => ({...item, at: value.at})));
    say(agentCount, value.agents.count > value.agents.items.length ? `${count(value.agents.items.length)} of ${count(value.agents.count)}` : '');
    budgets.set(windowsOf(value.money ? value.money.fullest : [], value.at));
    objectives.set(value.slos.items);
    say(refused, refusals(value.refused));
  });
  const node = el('div', {}, trouble, figures.node, refused, el('div', {class: 'panels'},
    panel('Tools', {beside: el('a', {href: '#/tools'}, 'All tools')}, tools.node),
    panel('Agents', {class: 'half', beside: el('span', {}, agentCount, ' ', el('a', {href: '#/agents'}, 'All agents'))}, agents.node),
    panel('Budgets (USD)', {class: 'half', beside: el('a', {href: '#/budgets'}, 'All budgets')}, budgets.node),
    panel('Error budgets', {class: 'half', beside: el('a', {href: '#/slos'}, 'All SLOs')}, objectives.node),
    panel('News', {class: 'half'}, news.node)));
  return {node, close: () => { watch.close(); news.close(); }};
}

function refusals(codes) {
  const words = byCode(codes);
  return words && `Refused in the last minute: ${words}`;
}

// The figures on top, with how each went in the last half hour.
class Figures {
  constructor(app) {
    this.lines = {calls: spark(), errors: spark({top: 0.05}), p99: spark({top: 0.01}), cost: spark()};
    const {lines} = this;
    this.calls = tile('Calls/s', {href: app.link('calls'), beside: lines.calls.node});
    this.failed = tile('Failed', {href: app.link('calls', [], {outcome: 'failed'}), beside: lines.errors.node});
    this.p99 = tile('P99', {href: '#/tools', beside: lines.p99.node});
    this.cost = tile('USD/h', {href: '#/budgets', beside: lines.cost.node});
    this.flight = tile('In flight');
    this.agents = tile('Agents', {href: '#/agents'});
    this.slos = tile('SLOs', {href: '#/slos'});
    this.journal = tile('Journal', {href: app.link('journal')});
    this.node = el('dl', {class: 'tiles'}, [this.calls, this.failed, this.p99, this.cost, this.flight,
      this.agents, this.slos, this.journal].map((each) => each.node));
  }

  set(value) {
    const all = value.together;
    this.calls.set(rate(all.per_second), {note: `${count(all.calls)} in ${span(value.seconds)}`});
    this.failed.set(share(all.errors), {tone: failing(all.errors), note: 'of the last minute'});
    this.p99.set(latency(all.p99), {note: `p95 ${latency(all.p95)}`});
    this.cost.set(cents(all.cost_per_hour), {note: value.money ? `${money(value.money.spent)} today` : 'no budgets'});
    this.flight.set(count(all.in_flight), {note: all.queued ? `${count(all.queued)} wait in our queues` : ''});
    this.agents.set(count(value.agents.count), health(value.agents.health));
    this.slos.set(...objectives(value.slos));
    this.journal.set(...journal(value.journal));
    this.#lines(value.trend);
  }

  #lines(trend) {
    const long = span(trend.seconds * trend.per_second.length);
    const highest = (values, word) => word(Math.max(0, ...values.filter((each) => each !== null)));
    const {calls, errors, p99, cost} = this.lines;
    calls.set(trend.per_second, `Calls a second in the last ${long}, at most ${highest(trend.per_second, rate)}`);
    errors.set(trend.errors, `Share that failed in the last ${long}, at most ${highest(trend.errors, share)}`);
    p99.set(trend.p99, `P99 in the last ${long}, at most ${highest(trend.p99, latency)}`);
    cost.set(trend.micros_per_hour, `Dollars an hour in the last ${long}`);
  }
}

function health(states) {
  if (!states) return {note: ''};
  const ill = ['critical', 'degraded'].filter((state) => states[state]);
  const mood = states.critical ? 'bad' : states.degraded ? 'warn' : '';
  const told = ill.map((state) => `${count(states[state])} ${state}`).join(', ');
  const well = states.healthy || !states.unknown ? `${count(states.healthy)} healthy` : 'too little is known yet';
  return {tone: mood, note: told || well};
}

function objectives({count: all, states}) {
  if (!all) return ['–', {note: 'none are set'}];
  const ill = ['exhausted', 'burning'].filter((state) => states[state]);
  const mood = states.exhausted ? 'bad' : states.burning ? 'warn' : '';
  const told = ill.map((state) => `${count(states[state])} ${state}`);
  if (states.insufficient_data) told.push(`${count(states.insufficient_data)} with too little data`);
  return [`${count(states.ok)} of ${count(all)} ok`, {tone: mood, note: told.join(', ')}];
}

function journal(kept) {
  if (!kept) return ['–', {note: 'not open yet'}];
  return [kept.ok ? 'ok' : name(kept.state), {tone: kept.ok ? '' : 'bad', note: `${count(kept.seq)} records`}];
}

function left({remaining, exhausts_in: gone}) {
  if (remaining === null) return 'nothing counted yet';
  if (remaining <= 0) return `its error budget is gone${remaining < 0 ? `, and ${share(-remaining, 0)} of it more` : ''}`;
  const has = `${share(remaining, 0)} of its error budget left`;
  return gone === null ? has : `${has}, gone in ${span(gone)}`;
}

class Objectives {
  constructor() {
    this.list = el('ul', {class: 'list'});
    this.none = el('p', {class: 'none'}, 'No SLO is set.');
    this.keyed = new Keyed(this.list, {
      key: (item) => item.slo,
      draw: () => el('li', {}, el('bdi', {}), ' ', el('span', {}), ' ', el('span', {class: 'dim'})),
      update: (node, item) => {
        const [word, , state, , rest] = node.childNodes;
        say(word, name(item.slo, 60));
        tone(say(state, item.state.replace('_', ' ')), SLO[item.state]);
        say(rest, left(item));
      },
    });
    this.node = el('div', {}, this.list, this.none);
  }

  set(items) {
    this.keyed.set(items);
    this.none.hidden = items.length > 0;
  }
}

// What happened while the page was open, the newest first.
class News {
  constructor(app) {
    this.items = [];
    this.list = el('ul', {class: 'list'});
    this.none = el('p', {class: 'none'}, 'Nothing since this page was opened.');
    this.keyed = new Keyed(this.list, {
      key: (item) => item.key,
      draw: (item) => el('li', {}, el('span', {class: 'dim'}, item.at), ' ', el('bdi', {}, item.text)),
    });
    this.node = el('div', {}, this.list, this.none);
    this.close = app.stream.on('*', (told, word) => this.hear(told, word));
  }

  hear(told, word) {
    if (!WORDS[word]) return;
    this.number = (this.number || 0) + 1;
    this.items.unshift({key: this.number, at: time(Date.now()), text: WORDS[word](told)});
    this.items.length = Math.min(this.items.length, NEWS);
    this.keyed.set(this.items);
    this.none.hidden = true;
  }
}
