// How figures and names are put into words. `holdfast top` words them alike (proxy/cli/status.py),
// so that two people who look at one proxy read the same to each other.
//
// Money is decimal text and stays text: it is never made a number of this language, which would
// round it. Names come from agents, and are shown as marks on a page, never as what they would do.

export const NONE = '–';

export const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}/gu;
const SHORT = {'\n': '\\n', '\r': '\\r', '\t': '\\t'};
const LONGEST = 96;

// Text that somebody made up, on one line: what would not be seen, or would turn the direction of
// writing, is an escape; what is longer than `most` characters is cut.
export function name(text, most = LONGEST) {
  if (text === null || text === undefined || text === '') return NONE;
  const whole = String(text);
  const seen = whole.slice(0, most * 2).replace(HIDDEN, escaped);
  const marks = [...seen];
  const cut = marks.length > most || whole.length > most * 2;
  return cut ? `${marks.slice(0, most - 1).join('')}…` : seen;
}

export function escaped(mark) {
  if (SHORT[mark]) return SHORT[mark];
  const code = mark.codePointAt(0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}

// With so many digits after the point; what lies in the middle goes to the even one.
export function fixed(number, digits) {
  const [whole, part = ''] = Math.abs(number).toFixed(digits + 30).split('.');
  const tie = /^50*$/.test(part.slice(digits));
  const kept = whole + part.slice(0, digits);
  if (!tie || '13579'.includes(kept.at(-1))) return number.toFixed(digits);
  const point = digits ? `${whole}.${part.slice(0, digits)}` : whole;
  return number < 0 ? `-${point}` : point;
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',');
}

// A whole number, or that there is none.
export function count(number) {
  return number === null || number === undefined ? NONE : grouped(String(Math.trunc(number)));
}

// The same where none is nothing to speak of.
export function some(number) {
  return number ? count(number) : NONE;
}

export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return NONE;
  return fixed(perSecond, perSecond >= 100 ? 0 : 2);
}

export function share(part, digits = 1) {
  return part === null || part === undefined ? NONE : `${fixed(part * 100, digits)}%`;
}

export function latency(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  return seconds >= 1 ? `${fixed(seconds, 1)} s` : `${fixed(seconds * 1000, 0)} ms`;
}

// A duration in its two largest units.
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.trunc(seconds);
  const parts = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const told = parts.filter(([number]) => number).map(([number, unit]) => `${number} ${unit}`);
  return told.slice(0, 2).join(' ') || `${fixed(seconds, 1)} s`;
}

// US dollars as the proxy says them, with the thousands parted, and two, four or six places.
export function money(dollars) {
  if (dollars === null || dollars === undefined) return NONE;
  const [, sign, whole, part] = /^(-?)(\d+)(\.\d+)?$/.exec(dollars) || [null, '', '', ''];
  const places = part ? part.padEnd(part.length + ((part.length + 1) % 2), '0') : '';
  return whole ? sign + grouped(whole) + places : name(dollars);
}

// The same to the cent, for what changes all the time.
export function cents(dollars) {
  if (dollars === null || dollars === undefined) return NONE;
  const micros = microsOf(dollars);
  if (micros === null) return name(dollars);
  if (micros > 0n && micros < 10000n) return '<0.01';
  const [all, rest] = [micros / 10000n, micros % 10000n];
  const up = rest > 5000n || (rest === 5000n && all % 2n === 1n) ? 1n : 0n;
  const text = String(all + up).padStart(3, '0');
  return `${grouped(text.slice(0, -2))}.${text.slice(-2)}`;
}

// Of decimal text of up to six digits after the point; null: it is none.
export function microsOf(dollars) {
  const found = /^(\d+)(?:\.(\d{1,6}))?$/.exec(dollars);
  return found && BigInt(found[1] + (found[2] || '').padEnd(6, '0'));
}

// Of micro-dollars, as records have them.
export function ofMicros(micros) {
  if (micros === null || micros === undefined) return NONE;
  const text = String(micros).padStart(7, '0');
  const part = text.slice(-6).replace(/0{1,4}$/, '');
  return `${grouped(text.slice(0, -6))}.${part}`;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
});
const DAY = new Intl.DateTimeFormat('en-GB', {day: 'numeric', month: 'short'});

// The time of day here, and the day where it is not today.
export function time(moment, today = new Date()) {
  const at = moment ? new Date(moment) : null;
  if (!at || Number.isNaN(at.getTime())) return NONE;
  const same = at.toDateString() === today.toDateString();
  return same ? CLOCK.format(at) : `${DAY.format(at)} ${CLOCK.format(at)}`;
}

// Seconds from one moment to another, by one clock; null where there is none.
export function between(from, to) {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isNaN(seconds) ? null : seconds;
}

export function ago(moment, now) {
  const seconds = moment ? between(moment, now) : null;
  return seconds === null ? NONE : `${span(Math.max(0, seconds))} ago`;
}

export const WHY = {
  consecutive: 'failures in a row', rate: 'too many failed', slow: 'too many were slow',
  probe_failed: 'a probe failed', open_time_over: 'its time was over',
  probes_passed: 'probes passed', by_hand: 'by hand', fleet: 'the fleet agrees',
};

export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;
