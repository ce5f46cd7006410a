// One tool: its figures, its circuits with why they are as they are, and what can be done about it.

import {el, fill, panel, tile} from '../draw.js';
import {byCode, sum} from '../refusals.js';
import {second} from '../second.js';
import {compare} from '../table.js';
import {CIRCUIT, failing} from '../tones.js';
import {WHY, cents, count, latency, name, rate, share, span, time} from '../words.js';

export const path = 'tool';
export const title = 'Tool';
export const hidden = true;
export const under = 'tools';

const FORCES = [
  ['open', 'Keep open', 'Every call that needs it is refused, until somebody lets it go.', 'danger'],
  ['closed', 'Keep closed', 'Every call goes through, whatever fails, until somebody lets it go.', 'danger'],
  ['auto', 'Let it go by its rules', 'It opens and closes by what its calls come to.', 'main'],
];
const OTHER = 'other'; // the row of all tools that have no name in the metrics
const MOST = 20;

export function open(app, at) {
  const view = new Tool(app, at);
  return {node: view.node, close: () => view.close()};
}

class Tool {
  #app;
  #watches;
  #dialog = null;
  #drawn = '';
  #named = new Set();

  constructor(app, at) {
    this.#app = app;
    [this.upstream = '', this.tool = ''] = at.rest;
    this.trouble = el('div', {});
    this.told = el('div', {role: 'status'});
    this.circuits = el('div', {class: 'panels'});
    this.tiles = {
      calls: tile('Calls/s'), failed: tile('Failed'), p99: tile('P99'), cost: tile('USD/h'), now: tile('In flight'), refused: tile('Refused'),
    };
    this.node = el('div', {}, this.trouble, this.told, el('p', {}, el('strong', {}, el('bdi', {}, this.title))), this.#links(),
      this.tool === OTHER && el('p', {class: 'dim'}, 'All tools that have no name of their own in the metrics, together.'),
      el('dl', {class: 'tiles'}, Object.values(this.tiles).map((each) => each.node)), this.circuits);
    this.#watches = [
      app.api.watch('/v1/tools', {every: 2, query: {limit: 1000}, pages: 5}, (seen) => this.#figures(seen)),
      app.api.watch('/v1/breakers', {every: 2, query: {limit: 1000}, pages: 5}, (seen) => this.#saw(seen)),
    ];
  }

  get title() {
    return `${name(this.upstream, 60)}/${name(this.tool, 200)}`;
  }

  close() {
    this.#watches.forEach((watch) => watch.close());
    this.#dialog?.close();
  }

  #links() {
    const app = this.#app;
    const asked = {upstream: this.upstream, tool: this.tool};
    return el('p', {class: 'row'},
      el('a', {href: app.link('calls', [], asked)}, 'Its calls'),
      el('a', {href: app.link('policies', [], asked)}, 'What a call of it would meet'),
      app.me.may('operator') && el('a', {href: app.link('kills', [], {scope: `tool:${this.tool}`})}, 'Stop it …'),
      el('a', {href: '#/tools'}, 'All tools'));
  }

  #figures(seen) {
    fill(this.trouble, this.#app.problem(seen));
    this.#named = new Set(seen.items?.filter((each) => each.upstream === this.upstream).map((each) => each.tool));
    const row = seen.items?.find((each) => each.upstream === this.upstream && each.tool === this.tool);
    if (!row) return;
    const {calls, failed, p99, cost, now, refused} = this.tiles;
    calls.set(rate(row.per_second), {note: `${count(row.calls)} in the last minute`});
    failed.set(share(row.errors), {tone: failing(row.errors)});
    p99.set(latency(row.p99), {note: `p95 ${latency(row.p95)}`});
    cost.set(cents(row.cost_per_hour));
    now.set(count(row.in_flight), {note: row.queued ? `${count(row.queued)} wait` : ''});
    refused.set(count(sum(row.refused)), {note: byCode(row.refused)});
  }

  #saw(seen) {
    if (!seen.value) return;
    const own = seen.items.filter((each) => each.upstream === this.upstream && this.#meets(each.tool));
    own.sort((a, b) => rank(a) - rank(b) || compare(a.key, b.key));
    own.length = Math.min(own.length, MOST);
    const now = JSON.stringify(own);
    if (now === this.#drawn) return;
    this.#drawn = now;
    const held = document.activeElement?.dataset?.force;
    fill(this.circuits, own.map((each) => this.#circuit(each)), own.length ? null : el('p', {class: 'none'}, 'No circuit was made for it yet.'));
    if (held) this.circuits.querySelector(`[data-force="${CSS.escape(held)}"]`)?.focus();
  }

  #meets(tool) {
    return tool === null || tool === this.tool || (this.tool === OTHER && !this.#named.has(tool));
  }

  #circuit(each) {
    const whose = each.tool === null ? `Circuit of the upstream ${name(each.upstream, 60)}` : `Circuit of ${name(each.tool, 80)}`;
    const kind = [each.bulkhead && `bulkhead ${name(each.bulkhead, 60)}`, each.shadow && 'shadow: refuses nobody'].filter(Boolean).join(', ');
    const facts = standing(each).map(([word, text, mood]) => [el('dt', {}, word), el('dd', {'data-tone': mood}, text)]);
    const acts = this.#app.me.may('operator') && !each.shadow ? this.#acts(each) : null;
    return panel(kind ? `${whose} (${kind})` : whose, {class: 'half'}, el('dl', {class: 'facts'}, facts), acts);
  }

  #acts(each) {
    const wanted = FORCES.filter(([state]) => (state === 'auto' ? each.forced : !each.forced || state !== each.state));
    return el('p', {class: 'row'}, wanted.map(([state, words, does, kind]) => el('button', {
      type: 'button', 'data-force': `${each.bulkhead || ''} ${each.key} ${state}`,
      on: {click: () => this.#ask(each, state, words, does, kind)},
    }, words)));
  }

  #ask(each, state, words, does, kind) {
    this.#dialog = second({
      title: `${words}: ${name(each.key, 80)}?`,
      says: [el('p', {}, does), el('p', {class: 'dim'}, 'It holds over reloads, and not over a restart. The journal keeps who did it.')],
      act: words,
      kind,
      does: async () => {
        const way = each.key.split('/').map(encodeURIComponent).join('/');
        const body = each.bulkhead ? {state, bulkhead: each.bulkhead} : {state};
        await this.#app.api.send('POST', `/v1/breakers/${way}`, body);
        this.#app.say(`${words}: ${name(each.key, 80)}.`);
        this.#app.api.kick('/v1/breakers', '/v1/tools', '/v1/overview');
      },
    });
  }
}

// Its own first, those that refuse before the others, and those of shadows last.
const rank = (each) => 4 * Number(each.shadow) + 2 * Number(each.tool === null) + Number(each.state === 'closed');

// What is to be known of a circuit: word, text, tone.
function standing(each) {
  const {window: seen, opens_at: rule, probes} = each;
  return [
    ['State', `${each.state.replace('_', ' ')}${each.forced ? ', kept so by hand' : ''}${each.fleet ? ', at all pods' : ''}`, CIRCUIT[each.state]],
    ['Since', each.since ? `${time(each.since)}, for ${span(each.for)}` : 'the start', null],
    ['Why', each.why ? WHY[each.why] || name(each.why) : '–', null],
    ['Next probe', each.next_probe_in === null ? '–' : `in ${span(each.next_probe_in)}`, null],
    ['Failed', `${count(seen.failures)} of ${count(seen.calls)} in ${span(seen.seconds)}, ${count(seen.slow)} slow; ${count(each.in_a_row)} in a row`, null],
    ['Opens at', `${count(rule.in_a_row)} in a row, or ${share(rule.rate, 0)} of at least ${count(rule.calls)} calls`, null],
    ['Probes', `${count(probes.passed)} of ${count(probes.needed)} passed${probes.under_way ? ', one is under way' : ''}`, null],
  ];
}
