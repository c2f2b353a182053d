const LOWER_A = 0x61;
const LOWER_Z = 0x7a;

/** The words of a text: maximal runs of the letters a to z, in lower case. */
export function* wordsOf(bytes: Buffer): Generator<string, void, void> {
  const text = bytes.toString("latin1").toLowerCase();
  let start = -1;
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    const isLetter = code >= LOWER_A && code <= LOWER_Z;
    if (isLetter) {
      if (start < 0) start = position;
    } else if (start >= 0) {
      yield text.slice(start, position);
      start = -1;
    }
  }
  if (start >= 0) yield text.slice(start);
}
