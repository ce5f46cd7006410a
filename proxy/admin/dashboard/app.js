// The dashboard: it begins here. One page, whose views are places behind '#/'.
//
// A view is a module of views/, in the list of views.js, that exports
//   path    the word behind '#/': 'tools' is at '#/tools'
//   title   what it is called, in the navigation and in the title of the page
//   hidden  optional; true: it is not in the navigation (a single call, say)
//   under   optional; the path of the view in the navigation that it belongs to
//   open(app, at) -> {node, close(), turn?(at)}
// `at` is where somebody wants to be: {rest: ['gateway', 'search'], query: URLSearchParams} of
// '#/tools/gateway/search?state=open'. `node` is put on the page; `close()` ends all that lasts:
// watches, listeners, timers. Where only `at` changes, `turn(at)` is called, if there is one; else
// the view is closed and opened again.
//
// `app` is
//   api       asks the proxy (api.js); most views live on app.api.watch
//   stream    news as they come (stream.js)
//   me        {name, roles, may(role), why}: who looks, what that one may do; `why` says in words
//             why nothing can be changed, or is ''
//   link(path, rest, query)  the text of a link to a view, for `href`
//   go(link)                 goes there
//   put(query)               sets what is behind '?' of this place, without a new step back
//   say(text)                tells everybody, politely, also those who do not see the page
//   shout(text)              the same at once, for what must not be missed
//   problem(seen)            an element that says why a watch has nothing newer, or null
// What is drawn is made by draw.js, table.js and spark.js, and worded by words.js.

import {Api} from './api.js';
import {Alarms} from './alarms.js';
import {el, fill, say, show, tone} from './draw.js';
import {login} from './login.js';
import {Stream} from './stream.js';
import {ticking} from './ticking.js';
import {views} from './views.js';
import {name, span, time} from './words.js';

const MODES = ['auto', 'light', 'dark'];
const SAID_FOR = 8;
const AGAIN = 3;
const LATE = 6; // seconds after which an answer is late
const NEWS = {
  circuit: ['/v1/overview', '/v1/breakers', '/v1/tools'], kill: ['/v1/overview', '/v1/kills'],
  alert: ['/v1/overview', '/v1/alerts'], approval: ['/v1/overview', '/v1/approvals'],
  reload: ['/v1/overview', '/v1/policies'], journal: ['/v1/overview', '/v1/journal'],
  budget: ['/v1/overview', '/v1/budgets'], store: ['/v1/overview', '/v1/pods'],
};
const place = (id) => document.getElementById(id);

class App {
  #view = null;
  #shown = null; // {path, view}
  #status = null;
  #saying = 0;
  #again = 0;
  #waits = ''; // why the door waits for the proxy

  constructor() {
    this.api = new Api({refused: (problem) => this.#leave(problem.message)});
    this.stream = new Stream(this.api);
    this.me = nobody();
    this.alarms = new Alarms(this, place('alarms'));
    for (const [word, paths] of Object.entries(NEWS)) this.stream.on(word, () => this.api.kick(...paths));
    this.stream.on('hello', () => this.api.kick('/v1/'));
    this.stream.on('state', () => this.#standing());
  }

  start() {
    window.addEventListener('hashchange', () => this.#route());
    window.addEventListener('pageshow', (event) => event.persisted && this.#leave('')); // who comes back to it is somebody else
    document.querySelector('.skip').addEventListener('click', (event) => {
      event.preventDefault();
      place('main').focus();
    });
    ticking(() => this.#standing());
    this.#navigation();
    this.#enter('');
  }

  link(path, rest = [], query = {}) {
    const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
    const way = [path, ...rest].map(encodeURIComponent).join('/');
    return `#/${way}${asked.size ? `?${asked}` : ''}`;
  }

  go(link) {
    location.hash = link;
  }

  put(query) {
    const {path, rest} = whereabouts();
    history.replaceState(null, '', this.link(path, rest, query));
  }

  say(text) {
    const note = el('p', {class: 'said'}, text);
    fill(place('says'), note);
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => note.remove(), SAID_FOR * 1000);
  }

  shout(text) {
    say(place('shouts'), text);
  }

  problem(seen) {
    if (!seen.problem) return null;
    const old = seen.stale ? ` What is shown is of ${time(seen.at)}.` : '';
    return el('p', {class: 'notice', 'data-tone': 'bad'}, name(seen.problem.message, 600), old);
  }

  // Comes in, with a token or without one, or shows the form where that is not enough.
  async #enter(token) {
    this.api.use(token);
    try {
      const told = await this.api.get('/v1/me');
      this.me = person(told, token);
      if (told.reads) this.#open();
      else this.#door(told.asks ? '' : told.why);
    } catch (problem) {
      if (problem.closed || this.#waits !== problem.message) this.#door(problem.message);
      this.#waits = problem.closed ? '' : problem.message;
      if (!problem.closed) this.#later(token);
    }
  }

  // The proxy did not answer: somebody who waits need not ask again by hand, nor hear of it each time.
  #later(token) {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      if (!this.#status && !place('token')?.value) this.#enter(token);
    }, AGAIN * 1000);
  }

  #open() {
    show(place('nav'), true);
    this.#status?.close();
    this.#status = this.api.watch('/v1/overview', {every: 2}, (seen) => this.#saw(seen));
    this.alarms.open();
    this.stream.start();
    this.#shown = null;
    this.#route();
    this.#person();
  }

  #leave(why) {
    this.api.use(''); // first of all, whatever becomes of the rest
    this.seen = null;
    fill(place('says'));
    fill(place('shouts'));
    this.stream.stop();
    this.alarms.close();
    this.#status?.close();
    this.#status = null;
    this.me = nobody();
    this.#door(why);
  }

  #door(why) {
    this.#close();
    show(place('nav'), false);
    show(place('alarms'), false);
    fill(place('standing'));
    this.#person();
    document.title = 'Log in · Holdfast';
    fill(place('main'), login({why, enter: (token) => this.#enter(token)}));
    place('main').querySelector('input')?.focus();
  }

  #close() {
    this.#view?.close();
    this.#view = null;
    this.#shown = null;
  }

  #route() {
    if (!this.#status) return;
    const {path, rest, query} = whereabouts();
    const view = views.find((each) => each.path === path) || views[0];
    const at = {rest, query};
    if (this.#shown === view && this.#view?.turn) {
      this.#view.turn(at);
      return;
    }
    const first = this.#shown === null;
    this.#close();
    this.#shown = view;
    document.title = `${view.title} · Holdfast`;
    this.#mark(view);
    this.#view = view.open(this, at);
    const heading = el('h1', {tabindex: -1}, view.title);
    fill(place('main'), heading, this.#view.node);
    window.scrollTo(0, 0);
    if (!first) heading.focus({preventScroll: true});
  }

  #navigation() {
    const links = views.filter((view) => !view.hidden).map((view) =>
      el('li', {}, el('a', {href: `#/${view.path}`, 'data-path': view.path}, view.title)));
    fill(place('nav'), el('ul', {}, links));
  }

  #mark(view) {
    for (const link of place('nav').querySelectorAll('a')) {
      if (link.dataset.path !== (view.under || view.path)) {
        link.removeAttribute('aria-current');
        continue;
      }
      link.setAttribute('aria-current', 'page');
      link.scrollIntoView({block: 'nearest', inline: 'nearest'});
    }
  }

  #saw(seen) {
    this.seen = seen;
    this.#standing();
  }

  #standing() {
    if (!this.#status) return;
    const {value, problem, at} = this.seen || {};
    if (!value && !problem) return;
    const late = !problem && Date.now() - at > LATE * 1000;
    const [word, mood] = late ? ['slow to answer', 'warn'] : standing(value, problem);
    const up = value && !problem ? `up ${span(value.uptime)}` : '';
    const still = (problem || late) && at ? `as of ${time(at)}` : '';
    const news = {live: '', off: '', opening: '', waiting: 'news are late'}[this.stream.state];
    const lost = this.stream.lost ? `${this.stream.lost} news lost` : '';
    const notes = [up, still, news, lost].filter(Boolean).join(' · ');
    const node = place('standing');
    if (!node.firstChild) fill(node, el('strong', {class: 'pill'}), ' ', el('span', {class: 'dim'}));
    if (node.firstChild.textContent !== word && node.firstChild.textContent) this.say(`Holdfast: ${word}`);
    tone(say(node.firstChild, word), mood);
    say(node.lastChild, notes);
  }

  #person() {
    const mode = el('button', {type: 'button', class: 'quiet', on: {click: () => turn(mode)}});
    named(mode);
    const leaves = this.me.token && el('button', {
      type: 'button', class: 'quiet', on: {click: () => this.#leave('')},
    }, 'Log out');
    const only = this.#status && !this.me.name && el('span', {class: 'dim', title: this.me.why}, 'read only');
    const words = this.me.name && el('span', {title: this.me.roles.join(', ')}, el('bdi', {}, name(this.me.name, 24)));
    fill(place('who'), words, only, mode, leaves);
  }
}

function standing(value, problem) {
  if (problem) return ['no answer', 'bad'];
  if (value.draining) return ['draining', 'bad'];
  return value.ready ? ['ready', 'good'] : ['not ready', 'bad'];
}

const nobody = () => ({name: null, roles: [], may: () => false, why: '', token: false});

function person(told, token) {
  return {
    name: told.name,
    roles: told.roles,
    may: (role) => told.changes && told.roles.includes(role),
    why: told.why || '',
    token: Boolean(token),
  };
}

// Where the address says that somebody wants to be.
function whereabouts() {
  const [way, asked = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [path, ...rest] = way.split('/').map(plain);
  return {path, rest, query: new URLSearchParams(asked)};
}

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function turn(button) {
  const root = document.documentElement;
  const next = MODES[(MODES.indexOf(root.dataset.mode || 'auto') + 1) % MODES.length];
  root.dataset.mode = next;
  named(button);
}

function named(button) {
  const mode = document.documentElement.dataset.mode || 'auto';
  say(button, {auto: 'Colours: auto', light: 'Colours: light', dark: 'Colours: dark'}[mode]);
}

new App().start();
