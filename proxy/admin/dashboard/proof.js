// Does the hash of a record hold? Computed here, over the bytes of its line (docs/journal.md, A line).

// The line of a record in an answer of /v1/calls/{id}, byte for byte; null: it is not there.
export function lineIn(text, member, hash) {
  const key = `"${member}":`;
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
    const from = at + key.length;
    const end = text.indexOf(`,"hash":"${hash}"}`, from);
    if (text[from] === '{' && end > 0) return text.slice(from, end + hash.length + 11);
  }
  return null;
}

// true, false, or null where it cannot be told (a page that came over plain HTTP from elsewhere).
export async function holds(line, record) {
  if (!line || !globalThis.crypto?.subtle) return null;
  const bare = line.slice(0, line.lastIndexOf(',"hash":"')) + '}';
  const before = Uint8Array.from(record.prev.match(/../g), (pair) => parseInt(pair, 16));
  const bytes = new TextEncoder().encode(bare);
  const all = new Uint8Array(before.length + bytes.length);
  all.set(before);
  all.set(bytes, before.length);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') === record.hash;
}
