// Alerts: what people are called for, since when, who sees to it.

import {el, fill} from '../draw.js';
import {Table, compare} from '../table.js';
import {name, span, time} from '../words.js';

export const path = 'alerts';
export const title = 'Alerts';

const RANKS = {firing: 0, pending: 1, resolved: 2};
const URGENT = {page: 0, ticket: 1, info: 2};
const TONES = {page: 'bad', ticket: 'warn', info: 'dim'};
const about = (row) => Object.entries(row.about).map(([key, value]) => `${name(key, 30)} ${name(value, 60)}`).join(', ');

function columns(app, acknowledge) {
  return [
    {title: 'State', by: (row) => RANKS[row.state] ?? 3, cell: (row) => ({
      text: row.inhibited ? `${row.state}, held back` : row.state, tone: row.state === 'firing' ? TONES[row.severity] : 'dim',
    })},
    {title: 'Severity', wide: 1, by: (row) => URGENT[row.severity] ?? 3, cell: (row) => ({text: row.severity, tone: row.state === 'firing' ? TONES[row.severity] : 'dim'})},
    {title: 'Alert', by: (row) => row.name, wide: 1, cell: (row) => ({text: name(row.name, 40), title: about(row)})},
    {title: 'What', grow: true, cell: (row) => ({text: name(row.summary, 300), title: `${name(row.summary, 600)} (${about(row)})`})},
    {title: 'Since', by: (row) => row.starts, down: true, cell: (row) => time(row.starts)},
    {title: 'Lasts', num: true, wide: 2, cell: (row) => span(lasts(row))},
    {title: 'Told', wide: 2, cell: (row) => name(row.told.join(', '), 80)},
    {title: 'Seen to by', cell: (row) => seenTo(app, row, acknowledge)},
  ];
}

function lasts(row) {
  if (!row.starts) return null;
  return Math.max(0, ((row.ends ? Date.parse(row.ends) : row.at) - Date.parse(row.starts)) / 1000);
}

function seenTo(app, row, acknowledge) {
  if (row.acknowledged_by) return {text: name(row.acknowledged_by, 40), title: time(row.acknowledged)};
  if (row.state !== 'firing' || !app.me.may('operator')) return {text: '–', tone: 'dim'};
  return {text: 'see to it', act: {text: 'I see to it', does: acknowledge}};
}

export function open(app) {
  const trouble = el('div', {});
  const failed = el('div', {'aria-live': 'polite'});
  const acknowledge = async (row) => {
    try {
      const told = await app.api.send('POST', `/v1/alerts/${encodeURIComponent(row.id)}/ack`, {reason: 'seen on the dashboard'});
      app.say(`${name(row.name, 40)} is seen to.`);
      fill(failed, told.warnings.map((each) => el('p', {class: 'notice', 'data-tone': 'warn'}, name(each, 400))));
      app.api.kick('/v1/alerts', '/v1/overview');
    } catch (problem) {
      fill(failed, el('p', {class: 'notice', 'data-tone': 'bad'}, name(problem.message, 400)));
    }
  };
  const table = new Table({
    label: 'Alerts, those that fire first', key: (row) => row.id, columns: columns(app, acknowledge), rows: 24,
    order: (a, b) => (RANKS[a.state] ?? 3) - (RANKS[b.state] ?? 3) || (URGENT[a.severity] ?? 3) - (URGENT[b.severity] ?? 3) || compare(b.starts, a.starts) || compare(a.id, b.id),
    empty: 'Nothing fires, and nothing was resolved of late.',
  });
  const watch = app.api.watch('/v1/alerts', {every: 5, query: {limit: 1000}}, (seen) => {
    fill(trouble, app.problem(seen));
    if (!seen.value) return;
    table.set(seen.items.map((item) => ({...item, at: seen.at})));
  });
  const why = app.me.may('operator') ? null : el('p', {class: 'dim'}, name(app.me.why || 'An operator can say that somebody sees to it.', 300));
  return {node: el('div', {}, trouble, failed, table.node, why), close: () => watch.close()};
}
