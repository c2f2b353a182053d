/**
 * Reads a `spark-defaults.conf`: one key and value a line, in the grammar of Java's properties.
 *
 *     # comment, also with !
 *     spark.shuffle.service.port   7337
 *     spark.local.dir = /data/1,\
 *                       /data/2
 *
 * Blanks, `=` or `:` stand between key and value, a backslash at the end joins the next line, and
 * `\t`, `\n`, `\uXXXX` and escaped separators mean what they mean in Java. Values are trimmed, as
 * Spark does. A key that comes twice has its last value.
 */
export function parseSparkDefaults(text: string): Record<string, string> {
  const values: [string, string][] = [];
  for (const line of logicalLines(text)) {
    const [key, value] = splitLine(line);
    if (key !== "") values.push([key, value.trim()]);
  }
  return Object.fromEntries(values);
}

function* logicalLines(text: string): Generator<string> {
  let joined: string | null = null;
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, "");
    if (joined === null && /^(?:[#!]|$)/.test(line)) continue;
    const whole: string = (joined ?? "") + line;
    const slashes = /\\*$/.exec(line)?.[0].length ?? 0;
    if (slashes % 2 === 1) {
      joined = whole.slice(0, -1);
      continue;
    }
    joined = null;
    yield whole;
  }
  if (joined !== null) yield joined;
}

function splitLine(line: string): [string, string] {
  let end = 0;
  while (end < line.length && !/[ \t\f=:]/.test(line[end] ?? "")) {
    end += line[end] === "\\" ? 2 : 1;
  }
  const rest = line.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, "");
  return [unescape(line.slice(0, end)), unescape(rest)];
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.?))/gsu, (_, code?: string, letter?: string) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return ESCAPES[letter ?? ""] ?? letter ?? "";
  });
}
