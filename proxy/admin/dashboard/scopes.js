// What a kill is for, in words, and what it would meet as things are now.

import {letters} from './doubts.js';
import {count, name, plural} from './words.js';

const OTHERS = 'other'; // all tools that have no name of their own in the metrics
const PAGES = 5;

export const KINDS = [
  ['agent', 'An agent', 'Name, or a pattern: pay-*'],
  ['tool', 'A tool', 'Name, or a pattern: create_*'],
  ['workflow', 'A workflow', 'Its id'],
  ['upstream', 'An upstream', 'Its name'],
  ['bulkhead', 'A bulkhead', 'Its name'],
  ['fleet', 'A fleet', 'Its name'],
  ['all', 'Everything', ''],
];

// What it stops.
export function stops(scope) {
  const [kind, of] = parts(scope);
  const whose = of.includes('*') ? `whose name fits ${name(of)}` : `named ${name(of)}`;
  return {
    all: 'every call of every agent',
    fleet: `every call of the agents of the fleet ${name(of)}`,
    agent: `every call of agents ${whose}`,
    tool: `every call of tools ${whose}`,
    workflow: `every call that says it is a part of the workflow ${name(of)}`,
    upstream: `every call to the upstream ${name(of)}, and every sending of other calls that would go there`,
    bulkhead: `every call of the agents in the bulkhead ${name(of)}`,
  }[kind] || `what ${name(scope)} means`;
}

// What somebody should see who took a name from elsewhere: two that look alike are not the same.
export function strange(scope) {
  const [kind, of] = parts(scope);
  const said = letters(of);
  return said && `The name of this ${kind} has letters that may look like others: ${said}.`;
}

export function parts(scope) {
  const at = scope.indexOf(':');
  return at < 0 ? [scope, ''] : [scope.slice(0, at), scope.slice(at + 1)];
}

// Does a name fit? As the proxy has it: `*` stands for anything (proxy/globs.py).
export function fits(glob, text) {
  const [first, ...rest] = glob.split('*');
  if (!rest.length) return text === first;
  const last = rest.pop();
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const literal of rest) {
    const found = text.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return true;
}

// Who and what would be met now, in a sentence; '' where nobody can tell.
export async function meets(api, scope) {
  const [kind, of] = parts(scope);
  if (kind === 'agent') return among(await all(api, '/v1/agents'), 'agent', of, (row) => row.id, (row) => row.others);
  if (kind === 'tool') return among(await all(api, '/v1/tools'), 'tool', of, (row) => row.tool, (row) => row.tool === OTHERS);
  const status = await api.get('/v1/status');
  if (kind === 'all') return `${under(status.together.in_flight)} now.`;
  if (kind !== 'upstream') return '';
  const there = status.upstreams.find((each) => each.name === of);
  return there ? `${under(there.in_flight)} there now.` : `No upstream is named ${name(of)}: it would stop nothing.`;
}

// All pages of a list, up to a bound.
async function all(api, path) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < PAGES; page += 1) {
    const told = await api.get(path, {limit: 1000, cursor});
    items.push(...told.items);
    cursor = told.next;
    if (!cursor) break;
  }
  return {items, more: Boolean(cursor)};
}

const under = (number) => `${plural(number, 'call is', 'calls are')} under way`;

function among({items, more}, kind, glob, of, others) {
  const met = items.filter((row) => of(row) && !others(row) && fits(glob, of(row)));
  const unnamed = more || items.some(others);
  const names = [...new Set(met.map(of))];
  if (!names.length) {
    const may = unnamed ? `there are ${kind}s without a name on this page, to which it may apply` : 'one that comes later will';
    return `No ${kind} that is known here fits this; ${may}.`;
  }
  const shown = names.slice(0, 5).map((each) => name(each, 40)).join(', ');
  const rest = names.length > 5 ? ` and ${count(names.length - 5)} more` : '';
  const flight = met.reduce((sum, row) => sum + row.in_flight, 0);
  return `It meets ${plural(names.length, kind)} known here: ${shown}${rest}${unnamed ? ', and may meet others that have no name here' : ''}. ${under(flight)} now.`;
}
