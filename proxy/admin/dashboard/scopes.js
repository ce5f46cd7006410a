// What a kill is for, in words, and what it would meet as things are now.

import {count, name, plural} from './words.js';

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
  if (kind === 'agent') return among(await api.get('/v1/agents', {limit: 1000}), 'agent', of, (row) => row.id);
  if (kind === 'tool') return among(await api.get('/v1/tools', {limit: 1000}), 'tool', of, (row) => row.tool);
  const status = await api.get('/v1/status');
  if (kind === 'all') return `${under(status.together.in_flight)} now.`;
  if (kind !== 'upstream') return '';
  const there = status.upstreams.find((each) => each.name === of);
  return there ? `${under(there.in_flight)} there now.` : `No upstream is named ${name(of)}: it would stop nothing.`;
}

const under = (number) => `${plural(number, 'call is', 'calls are')} under way`;

function among(page, kind, glob, of) {
  const met = page.items.filter((row) => of(row) && fits(glob, of(row)));
  const names = [...new Set(met.map(of))];
  if (!names.length) return `No ${kind} that is known here fits this; one that comes later will.`;
  const shown = names.slice(0, 5).map((each) => name(each, 40)).join(', ');
  const more = names.length > 5 ? ` and ${count(names.length - 5)} more` : '';
  const flight = met.reduce((sum, row) => sum + row.in_flight, 0);
  return `It meets ${plural(names.length, kind)} known here: ${shown}${more}. ${under(flight)} now.`;
}
