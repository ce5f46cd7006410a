// Calls as rows: those that end now, a few of each second, and those that the journal has.

import {EXECUTED, OUTCOMES} from './codes.js';
import {fits} from './scopes.js';
import {ofMicros, name} from './words.js';

// Rows that are kept: what is older goes.
export const MOST = 500;

// A row of a record of the journal, or of an event of the stream; `at` in milliseconds.
export function rowOf(call, at, number = 0) {
  const attempts = Array.isArray(call.attempts) ? call.attempts.length : call.attempts || 0;
  return {
    id: call.id, at, number, agent: call.agent || '', upstream: call.upstream || '', tool: call.tool || '',
    workflow: call.workflow || '', task: call.task || '', outcome: call.outcome || '', code: call.code || '',
    policy: call.policy || '', status: call.status || 0, us: call.duration_us || 0, micros: call.cost_micros || 0,
    executed: call.executed || '', attempts,
  };
}

// Does a row fit what is asked for? Names may hold `*`, as the proxy reads them.
export function fitting(asked) {
  const tests = Object.entries(asked).filter(([, value]) => value);
  return (row) => tests.every(([key, glob]) => fits(glob, row[key] ?? ''));
}

// The newest first, each call once, no more than are kept.
export class Rows {
  #rows = new Map();

  add(rows) {
    for (const row of rows) if (!this.#rows.has(row.id)) this.#rows.set(row.id, row);
    if (this.#rows.size <= MOST) return;
    const kept = this.list.slice(0, MOST);
    this.#rows = new Map(kept.map((row) => [row.id, row]));
  }

  clear() {
    this.#rows.clear();
  }

  get list() {
    return [...this.#rows.values()].sort(newest);
  }
}

export const newest = (a, b) => b.at - a.at || b.number - a.number;

// What a row says of how it ended: words and tone.
export function ended(row) {
  const [words, tone] = OUTCOMES[row.outcome] || [name(row.outcome), ''];
  return {text: row.code ? `${words}: ${name(row.code, 40)}` : words, tone, title: [row.policy && `policy ${name(row.policy, 60)}`, EXECUTED[row.executed]].filter(Boolean).join('. ')};
}

export const spent = (row) => (row.micros ? ofMicros(row.micros) : '–');
