// The record of a call as a story: what came, what was said to it, what was sent, what came back, what
// it cost, and what is kept of it. Made of the record alone; nothing is guessed.

import {CODES, EXECUTED, OUTCOMES, RESULTS, TIERS} from './codes.js';
import {count, fixed, name, ofMicros, plural} from './words.js';

// Steps {title, tone, text: sentences, facts: [[word, value, href?]]} of an intent and a record, either
// of which may be null. `link(path, rest, query)` makes links.
export function story(intent, record, link) {
  const call = record || intent;
  const later = record
    ? [sent(record), back(record), cost(record, intent)]
    : [{title: 'It is under way', tone: 'warn', text: ['It was made durable before it was sent, and has not ended yet.'], facts: []}];
  return [came(call, link), verdict(call, record, link), ...later.flat()];
}

export function micros(us) {
  if (us < 1000) return `${count(us)} µs`;
  return us < 1000000 ? `${fixed(us / 1000, us < 10000 ? 1 : 0)} ms` : `${fixed(us / 1000000, 2)} s`;
}

function came(call, link) {
  const by = call.agent ? name(call.agent) : 'Somebody whom nobody knows';
  return {
    title: 'It came', tone: '',
    text: [`${by} called ${name(call.upstream || 'no upstream')}/${name(call.tool)} by ${name(call.method)}${call.model ? `, with the model ${name(call.model)}` : ''}.`,
      call.caller && `${name(call.caller)} waits for it.`,
      call.task_end && `The agent says that its task ends with it: ${name(call.task_end)}.`],
    facts: [
      ['Workflow', call.workflow, call.workflow && link('calls', [], {workflow: call.workflow})],
      ['Task', call.task, call.task && link('calls', [], {task: call.task})],
      ['Protocol', call.protocol], ['Fleet', call.fleet], ['Version of the agent', call.agent_version],
      ['Trace', call.trace], ['Span', call.span], ['Effect', call.effect], ['Risk', call.risk],
      ['Request', call.request && kept(call.request)],
    ],
  };
}

const kept = (payload) => `${count(payload.bytes)} bytes${payload.commitment ? `, commitment ${payload.commitment}` : ''}`;

function verdict(call, record, link) {
  const facts = [
    ['Policies', call.policy_version],
    ['People', call.approval && `request ${name(call.approval)}`, call.approval && link('approvals', [call.approval])],
    ['Held for people', record?.held_us ? micros(record.held_us) : ''],
    ['In queues of ours', record?.queue_us ? micros(record.queue_us) : ''],
    ['Reserved', call.reserved_micros ? `${ofMicros(call.reserved_micros)} USD` : ''],
  ];
  const notes = [record?.unguarded && 'A limit that pods share let it go without asking the store, which did not answer.'];
  if (!record || record.decision === 'allow') {
    const late = record?.code && !record.attempts.length ? [`It was not sent all the same: ${reason(record)}.`] : [];
    return {title: 'It was let through', tone: 'good', text: ['Every gate said yes.', ...late, ...notes], facts};
  }
  const who = record.policy ? `The policy ${name(record.policy)}` : 'Holdfast itself';
  if (record.decision === 'shadow') {
    return {
      title: 'It was let through', tone: 'warn', facts,
      text: [`${who}, in shadow mode, would have refused it${record.detail ? `: ${CODES[record.detail] || name(record.detail, 300)}` : ''}.`, ...notes],
    };
  }
  return {title: 'It was refused', tone: 'bad', text: [`${who} said no: ${reason(record)}.`, ...notes], facts: [['Code', record.code], ...facts]};
}

const reason = (record) => CODES[record.code] || name(record.code || 'no reason is told');

function sent(record) {
  if (!record.attempts.length) return {title: 'Nothing was sent', tone: 'dim', text: [], facts: []};
  return record.attempts.map((attempt, at) => {
    const again = at ? 'It was sent again' : 'It was sent';
    const status = attempt.status ? `status ${attempt.status}` : 'no answer';
    return {
      title: `${again}, to ${name(attempt.upstream, 60)}`,
      tone: attempt.result === 'success' ? 'good' : attempt.result === 'cancelled' ? 'dim' : 'bad',
      text: [`After ${attempt.ms ? `${count(attempt.ms)} ms` : 'less than a millisecond'}: ${status}; ${RESULTS[attempt.result] || name(attempt.result)}.`],
      facts: [],
    };
  });
}

function back(record) {
  const [words, tone] = OUTCOMES[record.outcome] || [name(record.outcome), ''];
  const by = record.served_by ? ` ${name(record.served_by)} answered${TIERS[record.tier] ? `, ${TIERS[record.tier]}` : ''}.` : '';
  const first = record.ttfb_us >= 0 ? `, its first byte after ${micros(record.ttfb_us)}` : '';
  const why = record.code && record.decision !== 'refuse' ? [`${capital(reason(record))}.`] : [];
  const detail = record.detail && record.decision !== 'shadow' ? [`${capital(name(record.detail, 300))}.`] : [];
  return {
    title: `The agent got: ${words}`, tone,
    text: [`Status ${record.status || 'none'}.${by} ${EXECUTED[record.executed] || ''}`.trim(), ...why, ...detail,
      `It took ${micros(record.duration_us)} in all${first}; ${micros(record.overhead_us)} of it were Holdfast's own.`],
    facts: [['Response', record.response && kept(record.response)]],
  };
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function cost(record, intent) {
  const tokens = Object.entries(record.tokens || {}).map(([word, number]) => `${count(number)} ${word.replace('_', ' ')}`).join(', ');
  const charges = Object.entries(record.charges || {}).map(([account, money]) => `${name(account)}: ${ofMicros(money)} USD`).join('; ');
  const reserved = record.reserved_micros || intent?.reserved_micros || 0;
  const facts = [['Tokens', tokens], ['Charged to', charges], ['Was reserved', reserved ? `${ofMicros(reserved)} USD` : '']];
  if (!record.cost_micros) {
    return {title: 'It cost nothing that is known', tone: 'dim', text: [], facts};
  }
  const sure = record.cost_estimated ? 'That is an estimate: not all was told, or has a price.' : '';
  const times = record.attempts.length > 1 ? ` for ${plural(record.attempts.length, 'sending')}` : '';
  return {title: `It cost ${ofMicros(record.cost_micros)} USD`, tone: '', text: [times && `All together${times}.`, sure], facts};
}
