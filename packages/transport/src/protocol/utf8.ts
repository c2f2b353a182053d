const LONE_SURROGATES = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** UTF-8 as the JVM writes it: an unpaired surrogate becomes `?`, not U+FFFD. */
export function utf8Bytes(text: string): Buffer {
  return Buffer.from(text.isWellFormed() ? text : text.replace(LONE_SURROGATES, "?"), "utf8");
}
