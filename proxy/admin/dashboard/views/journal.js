// The journal: can it be written, does it hold, how far is it, who has its checkpoints.

import {el, fill, panel, tile, tone} from '../draw.js';
import {count, name, plural, share, span, time} from '../words.js';

export const path = 'journal';
export const title = 'Journal';

const STATES = {ok: 'can be written', full: 'no room', stuck: 'the disk does not answer', failed: 'cannot be written'};
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function open(app) {
  const trouble = el('div', {});
  const tiles = {
    state: tile('State'), holds: tile('Does it hold?'), seq: tile('Last record'), checkpoint: tile('Signed up to'),
    held: tile('Not written yet'), lost: tile('Lost'),
  };
  const facts = el('dl', {class: 'facts'});
  const anchors = el('ul', {class: 'list'});
  const mirrors = el('ul', {class: 'list'});
  const node = el('div', {}, trouble,
    el('dl', {class: 'tiles'}, Object.values(tiles).map((each) => each.node)),
    el('div', {class: 'panels'},
      panel('Where it is kept', {class: 'half'}, facts),
      panel('Who else has its checkpoints', {class: 'half'}, anchors),
      panel('Mirrors', {class: 'half'}, mirrors),
      panel('Checking all of it', {class: 'half'},
        el('p', {}, 'What a start, and each write, finds wrong stands above. All of it is checked offline, with the public key alone:'),
        el('pre', {}, 'holdfast audit verify DATA_DIR'),
        el('p', {}, el('a', {href: app.link('calls')}, 'The calls in it')))));
  const watch = app.api.watch('/v1/journal', {every: 2}, (seen) => {
    fill(trouble, app.problem(seen));
    if (!seen.value && !seen.problem) return;
    if (seen.value === null) return seen.problem || fill(trouble, el('p', {class: 'notice'}, 'The journal is not open yet.'));
    figures(tiles, seen.value);
    fill(facts, rows(seen.value));
    fill(anchors, listed(seen.value.anchors, anchor, 'No webhook is told: audit.anchors in the settings names some.'));
    fill(mirrors, listed(seen.value.mirrors || [], mirror, 'No mirror is written in the policies.'));
  });
  return {node, close: () => watch.close()};
}

function figures(tiles, kept) {
  tiles.state.set(kept.ok ? 'well' : name(kept.state), {tone: kept.ok ? 'good' : 'bad', note: `${kept.why ? name(kept.why, 200) : STATES[kept.state] || ''}, since ${time(kept.since)}`});
  tiles.holds.set(kept.tampered ? 'no' : 'yes', {tone: kept.tampered ? 'bad' : 'good', note: kept.tampered ? name(kept.tampered, 300) : 'as far as was looked'});
  tiles.seq.set(count(kept.seq), {});
  tiles.checkpoint.set(count(kept.checkpointed), {note: kept.seq ? `${share(Math.min(1, kept.checkpointed / kept.seq))} of all` : ''});
  tiles.held.set(count(kept.held), {tone: kept.held > 1000 ? 'warn' : '', note: 'records'});
  tiles.lost.set(count(kept.dropped), {tone: kept.dropped ? 'bad' : '', note: 'for want of room'});
}

function rows(kept) {
  const window = kept.loss_window ? `${count(kept.loss_window.records)} records or ${span(kept.loss_window.seconds)}, whatever is less` : 'nothing';
  return [
    ['Origin', name(kept.origin)], ['Sync', name(kept.sync)], ['Loss of power may take', window],
    ['On disk', kept.bytes === undefined ? '' : `${size(kept.bytes)} in ${plural(kept.segments, 'segment')}`],
    ['A segment has', size(kept.segment_bytes)],
    ['Kept for', kept.retention_days ? plural(kept.retention_days, 'day') : 'ever'],
  ].filter(([, value]) => value).map(([word, value]) => [el('dt', {}, word), el('dd', {}, value)]);
}

const listed = (items, draw, none) => (items.length ? items.map((each) => el('li', {}, draw(each))) : el('li', {class: 'dim'}, none));

function anchor(each) {
  const words = each.ok ? 'has the last one' : `does not take it: ${name(each.why, 300)}`;
  const waits = each.waiting ? `, ${plural(each.waiting, 'waits', 'wait')}` : '';
  return tone(el('span', {}, `${name(each.anchor, 100)} ${words}${waits}`), each.ok ? '' : 'bad');
}

function mirror(each) {
  const late = each.lag ? `${plural(each.lag, 'record')} behind` : 'up to date';
  return tone(el('span', {}, `${name(each.mirror, 100)}: ${late}${each.why ? `; ${name(each.why, 300)}` : ''}`), each.why ? 'bad' : '');
}

export function size(bytes) {
  let [number, unit] = [bytes, 0];
  while (number >= 1000 && unit < UNITS.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${number >= 100 || !unit ? Math.round(number) : number.toFixed(1)} ${UNITS[unit]}`;
}
