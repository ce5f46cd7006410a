// One call: its trail, from what came to what is kept of it.

import {el, fill, say, tone} from '../draw.js';
import {sheet} from '../exact.js';
import {gates, inTheWay} from '../gates.js';
import {holds, lineIn} from '../proof.js';
import {story} from '../story.js';
import {count, name, time} from '../words.js';

export const path = 'call';
export const title = 'Call';
export const hidden = true;
export const under = 'calls';

const AGAIN = 1.5;
const TRIES = 20;

export function open(app, at) {
  const view = new OneCall(app, at);
  view.look();
  return {node: view.node, close: () => view.close()};
}

class OneCall {
  #app;
  #over = false;
  #timer = 0;
  #tries = 0;

  constructor(app, at) {
    this.#app = app;
    [this.id = ''] = at.rest;
    this.when = Object.fromEntries(['since', 'until'].map((key) => [key, at.query.get(key)]));
    this.trouble = el('p', {class: 'notice', role: 'status', hidden: true});
    this.head = el('p', {class: 'dim'}, 'The call ', el('code', {}, name(this.id)));
    this.trail = el('ol', {class: 'trail', 'aria-label': 'What became of it'});
    this.rest = el('div', {});
    this.node = el('div', {}, this.head, this.trouble, this.trail, this.rest);
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async look() {
    this.#tries += 1;
    try {
      const asked = new URLSearchParams(Object.entries(this.when).filter(([, value]) => value));
      const way = `/v1/calls/${encodeURIComponent(this.id)}${asked.size ? `?${asked}` : ''}`;
      const [answer, journal] = await Promise.all([this.#app.api.open(way), this.#app.api.get('/v1/journal')]);
      const text = await answer.text();
      if (!this.#over) await this.#draw(text, journal);
    } catch (problem) {
      if (!this.#over) this.#missing(problem);
    }
  }

  // Records are written in batches: what ended a moment ago may not be there yet.
  #missing(problem) {
    this.trouble.hidden = false;
    const soon = [404, 503].includes(problem.status) && this.#tries < TRIES;
    tone(say(this.trouble, `${name(problem.message, 600)}${soon ? ' Looking again.' : ''}`), soon ? 'warn' : 'bad');
    if (soon) this.#later();
  }

  #later() {
    this.#timer = setTimeout(() => this.look(), AGAIN * 1000);
  }

  async #draw(text, journal) {
    const {intent, record} = JSON.parse(text);
    this.trouble.hidden = true;
    const last = record || intent;
    const steps = story(intent, record, (...way) => this.#app.link(...way));
    steps[1].facts.push(['Stood in its way', await inTheWay(this.#app, last)]);
    steps.push(await keeping(text, record ? 'record' : 'intent', last, journal));
    if (this.#over) return;
    fill(this.head, record ? `${time(last.ts)} · ` : '', 'call ', el('code', {}, name(this.id)));
    fill(this.trail, steps.map(step));
    const raw = [intent, record].filter(Boolean).map((each) => JSON.stringify(each, null, 1)).join('\n');
    fill(this.rest, gates(this.#app, last), el('details', {class: 'panel'}, el('summary', {}, 'The record, member by member'), sheet('The record', raw)));
    if (!record) this.#later();
  }
}

function step({title: words, tone: mood, text, facts}) {
  const rows = facts.filter(([, value]) => value).map(([word, value, href]) =>
    [el('dt', {}, word), el('dd', {}, href ? el('a', {href}, name(value)) : name(value, 300))]);
  const node = el('li', {}, el('h2', {}, words), el('p', {}, text.filter(Boolean).join(' ')), rows.length ? el('dl', {class: 'facts'}, rows) : null);
  return tone(node, mood);
}

// What the journal has of it, and whether that holds.
async function keeping(text, member, record, journal) {
  const held = await holds(lineIn(text, member, record.hash), record);
  const mine = {
    true: 'Its hash was computed again here, and is right.', false: 'Its hash is not that of its content.',
    null: 'This browser cannot compute its hash here.',
  }[held];
  const sealed = journal && journal.checkpointed >= record.seq
    ? 'A signed checkpoint covers it.' : 'The next signed checkpoint will cover it.';
  const wrong = journal?.tampered ? `The journal does not hold: ${name(journal.tampered, 300)}.` : '';
  return {
    title: `It is kept, as record ${count(record.seq)}`,
    tone: held === false || wrong ? 'bad' : 'good',
    text: [mine, sealed, wrong, 'Whether the whole journal holds says holdfast audit verify.'],
    facts: [['Call', record.id], ['Written', record.ts], ['By', record.writer], ['Rehearsal', record.drill && `${record.drill} times faster`],
      ['Hash', record.hash], ['Hash before', record.prev]],
  };
}
