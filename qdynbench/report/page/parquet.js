// Parquet of a table, a list of rows of which the first has the names: one row group, plain encoding, not compressed.
// https://github.com/apache/parquet-format; metadata are Thrift's compact protocol, of which a value is [type, bytes].
const WHOLE = new Set(["spins", "seed", "states_per_call", "states_timed", "threads", "launch", "round", "disturbed_rounds"]);
function parquet([names, ...rows]) {
  const varint = value => { const found = []; for (; value > 127; value = Math.floor(value / 128)) found.push(value % 128 + 128); return [...found, value]; };
  const int = value => [5, varint(2 * value)], long = value => [6, varint(2 * value)];
  const text = value => { const bytes = new TextEncoder().encode(value); return [8, [...varint(bytes.length), ...bytes]]; };
  const list = values => [9, [...(values.length < 15 ? [16 * values.length + values[0][0]] : [240 + values[0][0], ...varint(values.length)]), ...values.flatMap(value => value[1])]];
  const struct = fields => {
    let last = 0;
    return [12, [...Object.entries(fields).flatMap(([id, [type, bytes]]) => { const header = 16 * (id - last) + type; last = id; return [header, ...bytes]; }), 0]];
  };
  const parts = [new TextEncoder().encode("PAR1")];
  const written = () => parts.reduce((sum, part) => sum + part.length, 0);
  const schema = [struct({4: text("rows"), 5: int(names.length)})], chunks = [];
  let total = 0;
  names.forEach((name, column) => {
    const all = rows.map(row => row[column] ?? null), known = all.filter(value => value !== null);
    const type = known.some(value => typeof value !== "number") ? 6 : WHOLE.has(name) && known.every(Number.isSafeInteger) ? 2 : 5;
    const levels = new Uint8Array(Math.ceil(all.length / 8));  // which values there are, one bit for each
    all.forEach((value, at) => { if (value !== null) levels[at >> 3] |= 1 << (at & 7); });
    const runs = [...varint(2 * levels.length + 1)], words = type === 6 ? known.map(value => new TextEncoder().encode(String(value))) : [];
    const size = 4 + runs.length + levels.length + (type === 6 ? words.reduce((sum, word) => sum + 4 + word.length, 0) : 8 * known.length);
    const page = new Uint8Array(size), view = new DataView(page.buffer);
    view.setUint32(0, runs.length + levels.length, true);
    page.set(runs, 4);
    page.set(levels, 4 + runs.length);
    let at = 4 + runs.length + levels.length;
    if (type === 6) for (const word of words) { view.setUint32(at, word.length, true); page.set(word, at + 4); at += 4 + word.length; }
    else for (const value of known) { if (type === 2) view.setBigInt64(at, BigInt(value), true); else view.setFloat64(at, value, true); at += 8; }
    const header = new Uint8Array(struct({1: int(0), 2: int(size), 3: int(size), 5: struct({1: int(all.length), 2: int(0), 3: int(3), 4: int(3)})})[1]);
    const offset = written(), length = header.length + size;
    parts.push(header, page);
    total += length;
    schema.push(struct({1: int(type), 3: int(1), 4: text(name), ...(type === 6 ? {6: int(0)} : {})}));
    chunks.push(struct({2: long(offset), 3: struct({1: int(type), 2: list([int(0), int(3)]), 3: list([text(name)]), 4: int(0), 5: long(all.length), 6: long(length), 7: long(length), 9: long(offset)})}));
  });
  const group = struct({1: list(chunks), 2: long(total), 3: long(rows.length)});
  const footer = new Uint8Array(struct({1: int(1), 2: list(schema), 3: long(rows.length), 4: list([group]), 6: text("qdynbench")})[1]);
  const end = new Uint8Array(8);
  new DataView(end.buffer).setUint32(0, footer.length, true);
  end.set(new TextEncoder().encode("PAR1"), 4);
  return new Blob([...parts, footer, end]);
}
