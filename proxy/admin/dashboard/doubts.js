// What a reader of a call may take for something else, in sentences: a member that stands twice, of
// which one reader takes the first and another the last; a name that is written with escapes; letters
// that look like others.

import {name} from './words.js';

const TEXT = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\]]/g;
const LATIN = /\p{Script=Latin}/u;
const ALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\uff21-\uff5a]/u;
const FEW = 5;

export function doubts(text) {
  const {twice, coded} = members(text);
  return [
    told(twice, 'stands more than once in one object: who reads it may take another one than you'),
    told(coded, 'is written with escapes'),
    told(mixed(text), 'has letters of several scripts, which may look like others'),
  ].filter(Boolean);
}

// Words of letters that look alike, Latin and others in one.
export function mixed(text) {
  const words = text.match(/[\p{L}\p{N}]+/gu) || [];
  return [...new Set(words.filter((word) => LATIN.test(word) && ALIKE.test(word)))];
}

// The letters of a name that are not of ASCII, with their numbers: two that look alike differ there.
export function letters(text) {
  const found = [...new Set([...text].filter((sign) => sign > '\x7f'))];
  return found.slice(0, FEW).map((sign) => `${name(sign)} (U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')})`).join(', ');
}

function told(names, words) {
  if (!names.length) return '';
  const more = names.length > FEW ? ` and ${names.length - FEW} others` : '';
  return `${names.slice(0, FEW).map((each) => name(each, 40)).join(', ')}${more} ${words}.`;
}

// Of a text that is JSON, the names of its members that are not what they seem.
function members(text) {
  const found = {twice: new Set(), coded: new Set()};
  if (isJson(text)) {
    const inside = [];
    for (const [part, colon] of text.matchAll(TEXT)) {
      if (part === '{' || part === '[') inside.push(new Set());
      else if (part === '}' || part === ']') inside.pop();
      else if (colon) member(part.slice(0, -colon.length), inside.at(-1), found);
    }
  }
  return {twice: [...found.twice], coded: [...found.coded]};
}

function member(written, before, {twice, coded}) {
  const key = JSON.parse(written);
  if (before.has(key)) twice.add(key);
  if (written.includes('\\u')) coded.add(key);
  before.add(key);
}

function isJson(text) {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
