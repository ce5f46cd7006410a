// What each gate says to a call like this one now: nothing is sent for it, or counted.

import {el, fill, tone} from './draw.js';
import {name} from './words.js';

const KEYS = ['upstream', 'tool', 'agent', 'workflow', 'model'];
const explained = (app, call) => app.api.get('/v1/policies/explain', Object.fromEntries(KEYS.map((key) => [key, call[key]])));

// Whose names stand in the way of such a call, in their order: where policies are still those that it
// met; else, or where nobody can tell, ''.
export async function inTheWay(app, call) {
  try {
    const told = await explained(app, call);
    if (told.policy_version !== call.policy_version) return '';
    return [...new Set(told.stages.filter((each) => !each.shadow).map(named))].join(', ');
  } catch {
    return '';
  }
}

const named = (each) => (each.section ? name(each.section, 40) : STAGES[each.stage] || name(each.stage, 60));

// A panel that asks when somebody opens it. `call` has upstream, tool, agent …
export function gates(app, call) {
  const inside = el('div', {});
  const panel = el('details', {class: 'panel'}, el('summary', {}, 'What each gate would say to such a call now'), inside);
  panel.addEventListener('toggle', async () => {
    if (!panel.open) return;
    fill(inside, el('p', {class: 'dim'}, 'Asking …'));
    try {
      const told = await explained(app, call);
      fill(inside, same(told, call), verdict(told), stages(told.stages));
    } catch (problem) {
      fill(inside, el('p', {class: 'notice', 'data-tone': 'bad'}, name(problem.message, 600)));
    }
  });
  return panel;
}

function same(told, call) {
  if (!call.policy_version) return null;
  const as = told.policy_version === call.policy_version;
  return el('p', {class: 'dim'}, as
    ? 'By the policies of then, which are in force still, without its input and headers.'
    : 'Other policies are in force than then. Without its input and headers.');
}

export function verdict({verdict: {allow, refusal}}) {
  if (allow) return tone(el('p', {}, 'No gate would refuse it.'), 'good');
  return tone(el('p', {}, `It would be refused: ${name(refusal.code)}. ${name(refusal.detail, 400)}`), 'bad');
}

const STAGES = {
  Switch: 'kill switch', AttemptSwitch: 'kill switch again', RecordFirst: 'its record', IntentFirst: 'its intent', ShadowIntent: 'its intent',
  PlainSpending: 'money', MeteredSpending: 'money', ShadowSpending: 'money', TilledSpending: 'money',
};

// Each stage with what it says, in the order in which they are asked.
export function stages(all) {
  return el('ol', {class: 'list', 'aria-label': 'Stages, in the order in which they are asked'}, all.map((each) => {
    const word = el('strong', {}, named(each));
    const from = each.policy ? ` (policy ${name(each.policy, 60)}${each.shadow ? ', shadow' : ''})` : '';
    const no = each.refusal ? ` It says no: ${name(each.refusal.code, 60)}.` : '';
    return tone(el('li', {}, word, `${from}: ${name(each.says, 400)}.${no}`), each.refusal ? 'bad' : '');
  }));
}

// Every value in force with where it comes from, by section.
export function values(sections) {
  return Object.entries(sections).map(([section, fields]) => {
    const rows = Object.entries(fields).map(([field, {value, from}]) =>
      [el('dt', {}, name(field, 60)), el('dd', {}, el('code', {}, name(JSON.stringify(value), 300)), el('span', {class: 'dim'}, ` ${name(from, 200)}`))]);
    return el('div', {}, el('h3', {}, `${name(section, 60)}`), el('dl', {class: 'facts'}, rows));
  });
}

