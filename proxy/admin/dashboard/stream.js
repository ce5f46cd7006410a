// News as they come: one stream of server-sent events for the whole page, read with fetch, for only
// so the token can go into a header.
//
//   const off = stream.on('circuit', (told) => ...)     until off()
//     `told` is what docs/admin.md says of that word. '*' hears (told, word) of all of them.
//     'calls' is a few of the calls of each second, with how many were left out; it is asked for
//     only while somebody listens to it.
//   stream.state: 'off', 'opening', 'live' or 'waiting'; 'state' is told like a word when it changes
//   stream.lost: how many events the proxy could not keep for us, since the page was opened
//
// It pauses while the page is hidden. What happens meanwhile is not told again: who shows something
// reads its page anew when 'hello' comes.

const SILENCE = 40;
const SLOWEST = 30;
const LARGEST = 1 << 20;

export class Stream {
  #api;
  #hears = new Map();
  #reading = null;
  #timer = 0;
  #failed = 0;
  #on = false;

  constructor(api) {
    this.#api = api;
    this.state = 'off';
    this.lost = 0;
    document.addEventListener('visibilitychange', () => this.#turn());
  }

  start() {
    this.#on = true;
    this.#failed = 0;
    this.#turn();
  }

  stop() {
    this.#on = false;
    this.#turn();
  }

  on(word, hear) {
    const hears = this.#hears.get(word) || new Set();
    this.#hears.set(word, hears.add(hear));
    if (word === 'calls' && hears.size === 1) this.#anew();
    return () => {
      hears.delete(hear);
      if (word === 'calls' && !hears.size) this.#anew();
    };
  }

  get #url() {
    return this.#hears.get('calls')?.size ? '/v1/events?calls=sample' : '/v1/events';
  }

  #turn() {
    if (this.#on && !document.hidden) {
      if (!this.#reading && !this.#timer) this.#read();
    } else {
      this.#end();
      this.#be('off');
    }
  }

  #anew() {
    if (!this.#reading) return;
    this.#end();
    this.#turn();
  }

  #end() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#reading?.abort();
    this.#reading = null;
  }

  #be(state) {
    if (this.state === state) return;
    this.state = state;
    this.#tell('state', {state});
  }

  #tell(word, told) {
    for (const hear of [...(this.#hears.get(word) || [])]) hear(told, word);
    if (word === 'state') return;
    for (const hear of [...(this.#hears.get('*') || [])]) hear(told, word);
  }

  async #read() {
    const reading = this.#reading = new AbortController();
    this.#be('opening');
    try {
      const answer = await this.#api.open(this.#url, reading.signal);
      await this.#take(answer.body.getReader(), reading);
    } catch (error) {
      if (reading.signal.aborted && this.#reading !== reading) return;
      this.#failed += 1;
    }
    if (this.#reading !== reading) return;
    reading.abort();
    this.#reading = null;
    this.#be('waiting');
    if (this.#on && !document.hidden) this.#later();
  }

  #later() {
    const seconds = Math.min(SLOWEST, 2 ** Math.min(this.#failed, 6)) * (0.5 + Math.random());
    this.#timer = setTimeout(() => { this.#timer = 0; this.#read(); }, seconds * 1000);
  }

  // Until it ends, or is silent for too long: a comment comes from time to time at least.
  async #take(reader, reading) {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const silence = setTimeout(() => reading.abort(), SILENCE * 1000);
      const {value, done} = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      text += decoder.decode(value, {stream: true});
      const parts = text.split('\n\n');
      text = parts.pop();
      if (text.length > LARGEST) throw new RangeError('an event is too large');
      for (const part of parts) this.#event(part);
    }
  }

  #event(part) {
    const told = read(part);
    if (!told) return;
    if (told.word === 'hello') {
      this.#failed = 0;
      this.#be('live');
    }
    if (told.word === 'dropped') this.lost += told.content.lost || 0;
    this.#tell(told.word, told.content);
  }
}

// An event of its lines; null: it is a comment, or cannot be read.
export function read(part) {
  let word = 'message';
  let data = '';
  for (const line of part.split('\n')) {
    if (line.startsWith('event: ')) word = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  try {
    return data ? {word, content: JSON.parse(data)} : null;
  } catch {
    return null;
  }
}
