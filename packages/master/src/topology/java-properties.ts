/**
 * Java's properties files: `key = value`, `key: value` or `key value`; `#` and `!` begin a comment, a
 * backslash at the end of a line goes on in the next; `\t`, `\n`, `\r`, `\f` and `\uXXXX` are characters.
 */

const COMMENT = /^[ \t\f]*[#!]/;
const LINE_END = /\r\n|\r|\n/;
const ODD_BACKSLASHES = /(?<!\\)(?:\\\\)*\\$/;
/** The key, up to the first separator that no backslash stands before; then the separator. */
const KEY_AND_SEPARATOR = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*/s;
const ESCAPE = /\\(u[0-9a-fA-F]{4}|u|.)/gs;
const ESCAPED: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };
const HEX = 16;

/** The values by key, in the order of the file. @throws RangeError - a `\u` without four digits. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const [separated = "", key = ""] = KEY_AND_SEPARATOR.exec(line) ?? [];
    properties.set(unescaped(key), unescaped(line.slice(separated.length)));
  }
  return properties;
}

function* logicalLines(text: string): Generator<string, void, void> {
  let line = "";
  let goesOn = false;
  for (const natural of text.split(LINE_END)) {
    if (!goesOn && (COMMENT.test(natural) || natural.trim() === "")) continue;
    line += natural.replace(/^[ \t\f]+/, "");
    goesOn = ODD_BACKSLASHES.test(line);
    if (goesOn) line = line.slice(0, -1);
    else {
      yield line;
      line = "";
    }
  }
  if (line !== "") yield line;
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (_all, code: string) => {
    if (code === "u") throw new RangeError("\\u needs four hexadecimal digits");
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), HEX));
    return ESCAPED[code] ?? code;
  });
}
