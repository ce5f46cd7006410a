// Policies: which are in force, where each value comes from, what a call would get, and reading again.

import {el, fill, panel, say, show} from '../draw.js';
import {stages, values, verdict} from '../gates.js';
import {second} from '../second.js';
import {name, plural, time} from '../words.js';

export const path = 'policies';
export const title = 'Policies';

const MODES = {enforce: '', shadow: 'shadow: it only says what it would do', off: 'off'};

export function open(app, at) {
  const view = new Policies(app, at);
  return {node: view.node, close: () => view.close()};
}

class Policies {
  #app;
  #ends;
  #dialog = null;
  #drawn = null;

  constructor(app, at) {
    this.#app = app;
    this.trouble = el('div', {});
    this.standing = el('p', {});
    this.rejected = el('div', {class: 'notice', 'data-tone': 'bad', hidden: true});
    this.list = el('div', {});
    this.said = el('div', {role: 'status'});
    const reload = app.me.may('operator') && el('button', {type: 'button', on: {click: () => this.#reload()}}, 'Read them again');
    this.node = el('div', {}, this.trouble, this.rejected, this.said,
      el('div', {class: 'row'}, this.standing, reload), explaining(app, at),
      panel('In force, in the order in which they apply', {}, this.list));
    const watches = [
      app.api.watch('/v1/policies', {every: 10, query: {limit: 1000}, pages: 5}, (seen) => this.#saw(seen)),
      app.api.watch('/v1/overview', {every: 2}, (seen) => seen.value && this.#stand(seen.value.policies)),
    ];
    this.#ends = watches.map((watch) => () => watch.close());
  }

  close() {
    this.#ends.forEach((end) => end());
    this.#dialog?.close();
  }

  #stand(policies) {
    say(this.standing, `Version ${name(policies.version)}, since ${time(policies.loaded)}.`);
    show(this.rejected, Boolean(policies.rejected));
    const now = JSON.stringify(policies.rejected);
    if (now === this.#drawn) return;
    this.#drawn = now;
    if (policies.rejected) fill(this.rejected, failed('The last reload failed; what was in force before still is.', policies.rejected));
  }

  #saw(seen) {
    fill(this.trouble, this.#app.problem(seen));
    if (!seen.value) return;
    const open = new Set([...this.list.querySelectorAll('details[open]')].map((each) => each.dataset.key));
    fill(this.list, seen.items.map((each) => policy(each, open)));
    if (!seen.items.length) fill(this.list, el('p', {class: 'dim'}, 'There are none: calls go by what is built in.'));
  }

  #reload() {
    this.#dialog = second({
      title: 'Read policies and tokens again?',
      says: [el('p', {}, 'What stands in the files then counts for all calls that come after. If anything is wrong with them, what is in force now stays.')],
      act: 'Read them again',
      kind: 'main',
      does: async () => {
        try {
          const told = await this.#app.api.send('POST', '/v1/reload');
          fill(this.said, el('p', {class: 'notice'}, `They are in force: version ${name(told.policy_version)}.`));
          this.#app.say(`Policies are in force: version ${name(told.policy_version)}.`);
        } catch (problem) {
          if (problem.status !== 409) throw problem;
          fill(this.said, el('div', {class: 'notice', 'data-tone': 'bad'}, failed('They cannot be used; what was in force before still is.', {why: problem.message})));
        }
        this.#app.api.kick('/v1/policies', '/v1/overview');
      },
    });
  }
}

function failed(words, {at = null, why}) {
  const lines = why.split('\n').map((line) => el('li', {}, el('code', {}, name(line, 400))));
  return [el('p', {}, words, at ? ` (${time(at)})` : ''), el('ul', {class: 'list'}, lines)];
}

function policy(each, open) {
  const key = String(each.number);
  const words = ['effect', 'risk', 'on_journal_failure'].filter((word) => each[word])
    .map((word) => `${word.replaceAll('_', ' ')} ${name(each[word].value)}`);
  const matches = Object.entries(each.match).map(([word, value]) => `${word} ${[value].flat().map((one) => name(one, 120)).join(', ')}`);
  const more = [MODES[each.mode] ?? name(each.mode), ...words, Object.keys(each.sections).map((one) => name(one, 40)).join(', ')].filter(Boolean);
  return el('details', {'data-key': key, open: open.has(key)},
    el('summary', {}, el('strong', {}, name(each.name)), ' ', el('span', {class: 'dim'}, name(each.from, 200))),
    el('p', {}, matches.length ? `For ${matches.join('; ')}.` : 'For every call.', ` ${more.join('. ')}.`),
    Object.entries(each.sections).map(([section, part]) => sectionOf(section, part)));
}

function sectionOf(section, part) {
  const rows = Object.entries(part.fields).map(([field, value]) =>
    [el('dt', {}, name(field, 60)), el('dd', {}, el('code', {}, name(JSON.stringify(value), 300)))]);
  const note = [part.on ? '' : 'switched off', part.mode === 'enforce' ? '' : name(part.mode), name(part.from, 200)].filter(Boolean).join(', ');
  return el('div', {}, el('h3', {}, name(section, 60), ' ', el('span', {class: 'dim'}, note)), rows.length ? el('dl', {class: 'facts'}, rows) : null);
}

// What would a call get, and why?
function explaining(app, at) {
  const asked = [['upstream', 'Upstream'], ['tool', 'Tool'], ['agent', 'Agent'], ['workflow', 'Workflow'], ['model', 'Model']];
  const inputs = asked.map(([key, label]) => [key, label, el('input', {
    id: `explain-${key}`, autocomplete: 'off', spellcheck: 'false', maxlength: 200, value: at.query.get(key) || '',
  })]);
  const found = el('div', {});
  const submit = async (event) => {
    event.preventDefault();
    const query = Object.fromEntries(inputs.map(([key, , input]) => [key, input.value.trim()]));
    app.put(query);
    try {
      const told = await app.api.get('/v1/policies/explain', query);
      fill(found, explained(told));
    } catch (problem) {
      fill(found, el('p', {class: 'notice', 'data-tone': 'bad'}, name(problem.message, 600)));
    }
    found.querySelector('h3')?.focus();
  };
  const fields = inputs.map(([, label, input]) => el('p', {class: 'field'}, el('label', {for: input.id}, label), input));
  const form = el('form', {class: 'fields', autocomplete: 'off', on: {submit}}, fields,
    el('p', {class: 'row'}, el('button', {type: 'submit', class: 'main'}, 'Explain')));
  return panel('What a call would get, and why', {}, form, found);
}

function explained(told) {
  const {call} = told;
  return [
    el('h3', {tabindex: -1}, `${name(call.upstream)}/${name(call.tool)} by ${name(call.agent)}`),
    verdict(told), stages(told.stages),
    told.warnings.map((words) => el('p', {class: 'notice', 'data-tone': 'warn'}, name(words, 400))),
    el('details', {}, el('summary', {}, `Every value in force, and where it comes from (${plural(Object.keys(told.sections).length, 'section')})`), values(told.sections)),
  ];
}
