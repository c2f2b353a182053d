import type { ConfKey } from "./conf-key.ts";

/** The table as Markdown, one row per key; documentation pages are made from it. */
export function describeConfKeys(keys: readonly ConfKey[]): string {
  const rows = keys.map((key) => {
    const cells = [`\`${key.name}\``, defaultText(key), typeText(key), key.since ?? "–", key.doc];
    return `| ${cells.map(escapeCell).join(" | ")} |`;
  });
  const head = ["| key | default | type | since | effect |", "|---|---|---|---|---|"];
  return `${[...head, ...rows].join("\n")}\n`;
}

function defaultText(key: ConfKey): string {
  if (key.defaultFrom === undefined) return key.default === null ? "none" : `\`${key.default}\``;
  return `that of \`${key.defaultFrom}\` (\`${key.default}\`)`;
}

function typeText(key: ConfKey): string {
  const { type, unit, min, max, choices } = key;
  const words = [
    TYPE_WORDS[type],
    unit === undefined ? "" : `(${unit})`,
    choices?.join(", ") ?? "",
  ];
  if (min !== undefined) words.push(max === undefined ? `≥ ${min}` : `${min} to ${max}`);
  return words.filter((word) => word !== "").join(" ");
}

const TYPE_WORDS: Readonly<Record<ConfKey["type"], string>> = {
  boolean: "true or false",
  int: "integer",
  long: "integer",
  bytes: "size",
  intBytes: "size below 2 GiB",
  seconds: "time, whole seconds",
  text: "text",
  list: "comma-separated list",
  choice: "one of",
  prefix: "text",
};

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}
