// One request to people: how it stands, the call to the letter, and what somebody says to it.

import {el, fill, say, show, tone} from './draw.js';
import {sheet} from './exact.js';
import {since} from './ticking.js';
import {count, name, plural, span, time} from './words.js';

// Words and tone.
export const STATES = {
  pending: ['waits', 'warn'], review: ['to be looked at', ''], approved: ['approved', 'good'],
  denied: ['denied', 'bad'], used: ['was sent', 'dim'],
};
const LONGEST = 500;
const DONE = {
  approved: 'It is approved.', denied: 'It is denied, and not sent.', pending: 'You have agreed; somebody else must agree as well.',
};

// How many of those who must agree have done so.
export function standing(item) {
  if (!item.needs) return '–';
  const agreed = item.decided.filter((each) => each.decision === 'approve').length;
  return `${count(agreed)} of ${count(item.needs)}`;
}

export class Case {
  #app;
  #item = null;
  #got = 0;
  #asked = ''; // the state that the exact call was asked for in
  #call = null;
  #over = false;

  constructor(app, id) {
    this.id = id;
    this.#app = app;
    this.heading = el('h2', {tabindex: -1}, 'A call');
    this.state = el('p', {});
    this.facts = el('dl', {class: 'facts'});
    this.exact = el('div', {});
    this.trouble = el('p', {class: 'notice', role: 'alert', 'data-tone': 'bad', hidden: true});
    this.form = new Decision(app, (word, more) => this.#decide(word, more));
    const close = el('a', {href: app.link('approvals')}, 'Close');
    this.node = el('section', {class: 'panel case', 'aria-label': 'The call that was chosen'},
      el('div', {class: 'panel-head'}, this.heading, close), this.state, this.facts, this.exact, this.form.node, this.trouble);
  }

  close() {
    this.#over = true;
  }

  // How it stands; nothing: it is not on the list any more.
  set(item, got) {
    if (!item && !this.#item) return this.#look();
    this.#got = got;
    if (!item) return this.#gone('It is over: it was answered, or its time has passed.');
    this.#item = item;
    this.#draw();
    const now = `${item.state} ${item.decided.length}`;
    if (now !== this.#asked) {
      this.#asked = now;
      return this.#look();
    }
    return null;
  }

  tick() {
    if (!this.#item) return;
    const item = this.#item;
    const [word, mood] = STATES[item.state] || [name(item.state), ''];
    const left = item.expires_in === null ? null : Math.max(0, item.expires_in - since(this.#got));
    const ends = left === null ? '' : ` It expires in ${span(left)}.`;
    tone(say(this.state, `This call ${word === 'waits' ? 'waits for people' : `is ${word}`.replace('is was', 'was')}.${item.state === 'used' ? '' : ends}`), mood);
  }

  #gone(why) {
    tone(say(this.state, why), 'dim');
    this.#item = null;
    show(this.form.node, false);
  }

  async #look() {
    try {
      const told = await this.#app.api.get(`/v1/approvals/${encodeURIComponent(this.id)}`);
      if (this.#over) return;
      if (!this.#item) {
        [this.#item, this.#got] = [told, Date.now()];
        this.#asked = `${told.state} ${told.decided.length}`;
      }
      this.#call = told.request;
      this.#draw();
      this.#exactly(told);
    } catch (problem) {
      if (!this.#over) this.#gone(name(problem.message, 400));
    }
  }

  #draw() {
    const item = this.#item;
    say(this.heading, `${name(item.tool)} by ${name(item.agent)}`);
    this.tick();
    fill(this.facts, ...this.#facts(item).filter(([, value]) => value)
      .map(([word, value]) => [el('dt', {}, word), el('dd', {}, value)]));
    this.form.set(item, this.#call);
  }

  #facts(item) {
    const {link} = this.#app;
    const id = item.sent_as || item.call;
    return [
      ['Upstream', name(item.upstream)],
      ['Asked', `${time(item.asked)}, by policy ${name(item.policy)}${item.why === 'review' ? ', after it passed' : ''}`],
      ['Why', item.detail && name(item.detail, 500)],
      ['Workflow', item.workflow && name(item.workflow)],
      ['Task', item.task && name(item.task)],
      ['Must agree', agreement(item)],
      ['Said', item.decided.length ? el('ul', {class: 'list'}, item.decided.map(decision)) : null],
      ['Waits at', item.pod && `${name(item.host || item.pod)} (another pod)`],
      ['Call', el('a', {href: link('call', [id])}, name(id))],
      ['Digest', item.digest && el('code', {}, name(item.digest))],
    ];
  }

  #exactly(told) {
    const call = told.request;
    if (!call) {
      const why = this.#app.me.may('approver')
        ? 'It cannot be shown any more, so it can only be denied.'
        : 'Approvers are shown the exact call.';
      fill(this.exact, el('p', {class: 'notice'}, why));
      return;
    }
    const lines = [`${call.method} ${call.path}`, ...call.headers.map(([word, value]) => `${word}: ${value}`), '', call.body];
    const notes = [
      call.base64 && 'The body is no text: this is its Base64.',
      call.decoded && `The body is sent coded (${name(call.decoded)}): this is what is in it.`,
      'Credentials, and headers that change with each repetition, are not shown.',
    ].filter(Boolean);
    fill(this.exact, el('h3', {}, 'What will be sent, to the letter'), sheet('The exact call', lines.join('\n')),
      el('p', {class: 'dim'}, notes.join(' ')));
  }

  async #decide(decision, more) {
    this.trouble.hidden = true;
    try {
      const told = await this.#app.api.send('POST', `/v1/approvals/${encodeURIComponent(this.id)}/decision`, {decision, ...more});
      this.#app.say(`${name(told.tool, 60)} by ${name(told.agent, 60)}: ${DONE[told.state] || `it ${STATES[told.state]?.[0] || 'is decided'}.`}`);
      if (!this.#over) this.set(told, Date.now());
    } catch (problem) {
      this.trouble.hidden = false;
      say(this.trouble, name(problem.message, 1000));
    } finally {
      this.#app.api.kick('/v1/approvals', '/v1/overview');
    }
  }
}

function agreement(item) {
  if (!item.needs) return 'Nobody: it is listed to be looked at.';
  const who = item.groups.length ? ` of ${item.groups.map((group) => name(group, 40)).join(' or ')}` : '';
  return `${plural(item.needs, 'person', 'different people')}${who}; ${standing(item)} so far`;
}

const decision = (each) => el('li', {},
  `${name(each.by, 60)} ${each.decision === 'approve' ? 'approves' : 'denies'}`,
  each.break_glass ? ' alone, in an emergency' : '', each.reason ? `: ${name(each.reason, LONGEST)}` : '');

let forms = 0;

// What an approver says. Enter in a field decides nothing.
class Decision {
  #me;

  constructor(app, decide) {
    forms += 1;
    this.#me = app.me;
    this.reason = el('input', {id: `reason-${forms}`, maxlength: LONGEST, autocomplete: 'off'});
    this.glass = el('input', {id: `glass-${forms}`, type: 'checkbox'});
    const says = (word) => async () => {
      this.yes.disabled = this.no.disabled = true;
      await decide(word, {reason: this.reason.value.trim(), break_glass: word === 'approve' && this.glass.checked});
      this.set(this.item, this.call);
    };
    this.glass.addEventListener('change', () => this.set(this.item, this.call));
    this.yes = el('button', {type: 'button', class: 'main', on: {click: says('approve')}}, 'Approve');
    this.no = el('button', {type: 'button', class: 'danger', on: {click: says('deny')}}, 'Deny');
    this.note = el('p', {class: 'dim'});
    this.alone = el('details', {}, el('summary', {}, 'In an emergency'), el('p', {class: 'field-line'}, this.glass, ' ',
      el('label', {for: this.glass.id}, 'Approve alone, for all who must agree. It needs a reason, and everybody hears of it.')));
    const field = el('p', {class: 'field'}, el('label', {for: this.reason.id}, 'Reason'), this.reason);
    this.fields = el('div', {}, field, this.alone, el('p', {class: 'row'}, this.yes, this.no));
    this.node = el('form', {on: {submit: (event) => event.preventDefault()}, autocomplete: 'off'}, this.fields, this.note);
  }

  set(item, call) {
    [this.item, this.call] = [item, call];
    const review = item.state === 'review';
    const mine = item.decided.some((each) => each.by === this.#me.name && each.decision === 'approve');
    const may = this.#me.may('approver');
    show(this.node, review || item.state === 'pending');
    show(this.fields, may);
    show(this.alone, item.needs > 1 || item.groups.length > 0);
    this.yes.disabled = !call || (mine && !this.glass.checked);
    this.no.disabled = false;
    say(this.yes, review ? 'It was right' : 'Approve');
    say(this.no, review ? 'It was wrong' : 'Deny');
    say(this.note, may ? (mine ? AGREED : '') : this.#me.why || 'Who decides has the role approver; your token has not.');
  }
}

const AGREED = 'You have agreed already: a second person must, who is not you. You may still deny it.';
