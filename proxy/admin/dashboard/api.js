// Asks the proxy. The token is held here, in memory, and goes into a header; nothing is stored.
//
//   await api.get('/v1/tools', {limit: 1000})     what it says, or a Problem is thrown
//   await api.send('POST', '/v1/kills', {...})    the same, for what changes something
//   const watch = api.watch('/v1/status', {every: 2}, (seen) => ...)     until watch.close()
//     seen is {value, at, problem, stale, items?, more?}: `value` what was said last (null: nothing
//     yet), `at` when (Date.now()), `problem` why there is nothing newer, or null; it is told when
//     something changes, not at each look. With `pages: n`, as many pages of a list as that are
//     put together as `items`, and `more` says that there are others.
//     watch.kick() looks again soon, for somebody knows that something changed.
//
// Whoever watches the same page shares one watch. Nobody is asked while the page is hidden. A proxy
// that does not answer is asked less and less often, up to each half minute.

const SLOWEST = 30;
const PATIENCE = 15;
const SOON = 0.15;

const TITLES = {
  401: 'The token is not known here, or not any more.',
  403: 'This is not open to you.',
  404: 'There is no such thing here.',
  409: 'That cannot be done as things are.',
  429: 'Too many wrong tokens were tried; wait a moment.',
  503: 'The proxy cannot do that now.',
};

// Why something was not done, in words for people.
export class Problem extends Error {
  constructor(status, detail = '', wait = 0) {
    super(detail || TITLES[status] || `The proxy answered with status ${status}.`);
    this.status = status; // 0: there was no answer
    this.wait = wait; // seconds after which it makes sense to ask again; 0: nobody said
  }

  get closed() {
    return this.status === 401 || this.status === 403;
  }
}

export class Api {
  #token = '';
  #watches = new Map();

  constructor({refused = () => {}} = {}) {
    this.refused = refused; // told when a token does not count (any more)
    document.addEventListener('visibilitychange', () => this.#turn());
  }

  // Takes a token, or forgets it. Whoever watches begins anew.
  use(token) {
    this.#token = token;
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
  }

  get headers() {
    return this.#token ? {Authorization: `Bearer ${this.#token}`} : {};
  }

  async get(path, query = {}, signal = undefined) {
    const answer = await this.#ask(address(path, query), {signal});
    return answer.json();
  }

  async send(method, path, body = undefined, query = {}) {
    const given = body === undefined ? {} : {
      body: JSON.stringify(body), headers: {'Content-Type': 'application/json'},
    };
    const answer = await this.#ask(address(path, query), {method, ...given});
    return answer.json();
  }

  // For who looks again and again: an answer may be a second old, and is not sent a second time.
  async again(url, tag, signal) {
    const headers = {'Cache-Control': 'max-age=1', ...(tag ? {'If-None-Match': tag} : {})};
    const answer = await this.#ask(url, {headers, signal});
    if (answer.status === 304) return null;
    return {tag: answer.headers.get('ETag') || '', value: await answer.json()};
  }

  // The answer as it is, for streams.
  async open(url, signal) {
    return this.#ask(url, {signal}, 0);
  }

  watch(path, options, hear) {
    const {every = 2, query = {}, pages = 1} = options;
    const key = JSON.stringify([address(path, query), pages]);
    const known = this.#watches.get(key);
    const watch = known || new Watch(this, address(path, query), {every, pages});
    if (!known) this.#watches.set(key, watch);
    watch.every = Math.min(watch.every, every);
    watch.hears.add(hear);
    if (known) hear(watch.seen);
    else watch.start();
    return {
      kick: () => watch.kick(),
      close: () => {
        watch.hears.delete(hear);
        if (watch.hears.size) return;
        watch.end();
        if (this.#watches.get(key) === watch) this.#watches.delete(key);
      },
    };
  }

  // Looks again at all that is watched whose path begins so.
  kick(...paths) {
    for (const watch of this.#watches.values()) {
      if (paths.some((path) => watch.url.startsWith(path))) watch.kick();
    }
  }

  #turn() {
    for (const watch of this.#watches.values()) {
      if (document.hidden) watch.pause();
      else watch.kick();
    }
  }

  async #ask(url, given, patience = PATIENCE) {
    const shown = this.#token;
    const headers = {...this.headers, ...given.headers};
    const limits = [given.signal, patience ? AbortSignal.timeout(patience * 1000) : null];
    const signal = AbortSignal.any(limits.filter(Boolean));
    const rest = {cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer'};
    let answer;
    try {
      answer = await fetch(url, {...given, ...rest, headers, signal});
    } catch (error) {
      if (given.signal?.aborted) throw error;
      throw new Problem(0, 'The proxy does not answer.');
    }
    if (answer.ok || answer.status === 304) return answer;
    const problem = await problemOf(answer);
    if (problem.status === 401 && shown === this.#token) this.refused(problem);
    throw problem;
  }
}

function address(path, query) {
  const given = Object.entries(query).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [key, one]));
  const asked = new URLSearchParams(given.filter(([, value]) => value !== '' && value !== null && value !== undefined));
  return asked.size ? `${path}?${asked}` : path;
}

async function problemOf(answer) {
  let detail = '';
  try {
    const told = await answer.json();
    detail = typeof told.detail === 'string' ? told.detail : '';
  } catch {
    // what is no JSON says nothing to people
  }
  return new Problem(answer.status, detail.slice(0, 2000), Number(answer.headers.get('Retry-After')) || 0);
}

class Watch {
  #timer = 0;
  #asking = null;
  #failed = 0;
  #over = false;
  #kept = new Map(); // by url: the tag and what was said
  #due = 0;
  #again = false;

  constructor(api, url, {every, pages}) {
    this.api = api;
    this.url = url;
    this.every = every;
    this.pages = pages;
    this.hears = new Set();
    this.seen = {value: null, at: 0, problem: null, stale: false};
  }

  start() {
    if (!document.hidden) this.#look();
  }

  end() {
    this.#over = true;
    this.pause();
  }

  pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#asking?.abort();
  }

  // Many in a row are one look. What is on its way may not know of it yet.
  kick() {
    const due = performance.now() + SOON * 1000;
    if (this.#asking) this.#again = true;
    if (this.#over || document.hidden || this.#asking || (this.#timer && this.#due <= due)) return;
    this.#set(SOON);
  }

  #set(seconds) {
    clearTimeout(this.#timer);
    this.#due = performance.now() + seconds * 1000;
    this.#timer = setTimeout(() => this.#look(), seconds * 1000);
  }

  async #look() {
    this.#timer = 0;
    this.#again = false;
    const asking = this.#asking = new AbortController();
    try {
      const changed = await this.#read(asking.signal);
      this.#failed = 0;
      if (!this.#over) this.#told(changed);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#failed += 1;
      this.#missed(error);
    } finally {
      this.#asking = null;
      if (!this.#over && !document.hidden) this.#set(this.#next());
    }
  }

  #next() {
    if (!this.#failed) return this.#again ? SOON : this.every;
    const slower = Math.min(SLOWEST, this.every * 2 ** this.#failed);
    return Math.max(this.seen.problem?.wait || 0, slower * (0.75 + Math.random() / 2));
  }

  // Reads the pages; says whether anything is not as it was.
  async #read(signal) {
    const kept = new Map();
    let url = this.url;
    let changed = false;
    for (let page = 0; page < this.pages && url; page += 1) {
      const before = this.#kept.get(url);
      const answer = await this.api.again(url, before?.tag, signal);
      changed ||= answer !== null;
      kept.set(url, answer || before);
      const next = kept.get(url).value?.next;
      url = next ? withCursor(this.url, next) : null;
    }
    this.#kept = kept;
    return changed;
  }

  #told(changed) {
    const before = this.seen;
    const parts = [...this.#kept.values()].map((each) => each.value);
    this.seen = {...before, at: Date.now(), problem: null, stale: false};
    if (changed) {
      this.seen.value = parts[0];
      this.seen.items = parts.flatMap((part) => part?.items || []);
      this.seen.more = Boolean(parts.at(-1)?.next);
    }
    if (changed || before.problem) this.#tell();
  }

  #missed(error) {
    const problem = error instanceof Problem ? error : new Problem(0, 'The answer cannot be read.');
    if (!(error instanceof Problem)) console.warn(error);
    this.seen = {...this.seen, problem, stale: this.seen.value !== null};
    this.#tell();
  }

  #tell() {
    for (const hear of [...this.hears]) hear(this.seen);
  }
}

function withCursor(url, cursor) {
  const [path, query = ''] = url.split('?');
  const asked = new URLSearchParams(query);
  asked.set('cursor', cursor);
  return `${path}?${asked}`;
}
