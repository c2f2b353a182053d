/**
 * Text as `java.io.DataOutput.writeUTF` writes it.
 *
 *     0        2                  2 + length
 *     +--------+------------------+
 *     | length |  modified UTF-8  |    length: uint16, big-endian, counts the bytes of the text
 *     +--------+------------------+
 *
 * Modified UTF-8 works on UTF-16 units: U+0000 takes two bytes (c0 80) and each half of a surrogate
 * pair takes three, so any JavaScript string survives, unpaired halves included.
 */
import { BlockError } from "../block-error.ts";

const LENGTH_FIELD_BYTES = 2;
const TEXT_BYTES_MAX = 0xffff;

/** Bytes that {@link writeJavaUtf} will write, length field included. */
export function javaUtfLength(text: string): number {
  let length = LENGTH_FIELD_BYTES;
  for (let index = 0; index < text.length; index++) length += unitBytes(text.charCodeAt(index));
  return length;
}

/**
 * Writes `text` into `target` at `offset`. The caller made room for {@link javaUtfLength} bytes.
 *
 * @returns the offset behind the text.
 * @throws BlockError TEXT_TOO_LONG when the text takes more than 65,535 bytes.
 */
export function writeJavaUtf(target: Uint8Array, offset: number, text: string): number {
  const length = javaUtfLength(text) - LENGTH_FIELD_BYTES;
  if (length > TEXT_BYTES_MAX) {
    throw new BlockError("TEXT_TOO_LONG", `text of ${length} bytes, limit ${TEXT_BYTES_MAX}`);
  }
  target[offset] = length >>> 8;
  target[offset + 1] = length & 0xff;
  let at = offset + LENGTH_FIELD_BYTES;
  for (let index = 0; index < text.length; index++) {
    at = writeUnit(target, at, text.charCodeAt(index));
  }
  return at;
}

/**
 * Reads the text that starts at `offset` of `bytes`.
 *
 * @returns the text and the offset behind it.
 * @throws BlockError BYTES_MALFORMED when the bytes end early or are not modified UTF-8.
 */
export function readJavaUtf(bytes: Uint8Array, offset: number): { text: string; end: number } {
  const start = offset + LENGTH_FIELD_BYTES;
  if (offset < 0 || start > bytes.length) throw malformed("text without a length", offset);
  const end = start + (byteAt(bytes, offset) << 8) + byteAt(bytes, offset + 1);
  if (end > bytes.length) throw malformed("text is cut short", offset);

  let text = "";
  let at = start;
  while (at < end) {
    const size = unitBytesFrom(byteAt(bytes, at));
    if (size === 0 || at + size > end) throw malformed("text is not modified UTF-8", at);
    text += String.fromCharCode(readUnit(bytes, at, size));
    at += size;
  }
  return { text, end };
}

function unitBytes(unit: number): number {
  if (unit >= 0x01 && unit <= 0x7f) return 1;
  return unit <= 0x7ff ? 2 : 3;
}

function writeUnit(target: Uint8Array, at: number, unit: number): number {
  const size = unitBytes(unit);
  if (size === 1) {
    target[at] = unit;
  } else if (size === 2) {
    target[at] = 0xc0 | (unit >> 6);
    target[at + 1] = 0x80 | (unit & 0x3f);
  } else {
    target[at] = 0xe0 | (unit >> 12);
    target[at + 1] = 0x80 | ((unit >> 6) & 0x3f);
    target[at + 2] = 0x80 | (unit & 0x3f);
  }
  return at + size;
}

/** Size of the unit that begins with `lead`; 0 for a byte that cannot begin one. */
function unitBytesFrom(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >> 5 === 0b110) return 2;
  return lead >> 4 === 0b1110 ? 3 : 0;
}

function readUnit(bytes: Uint8Array, at: number, size: number): number {
  const lead = byteAt(bytes, at);
  if (size === 1) return lead;
  const second = continuationAt(bytes, at + 1);
  if (size === 2) return ((lead & 0x1f) << 6) | second;
  return ((lead & 0x0f) << 12) | (second << 6) | continuationAt(bytes, at + 2);
}

function continuationAt(bytes: Uint8Array, at: number): number {
  const byte = byteAt(bytes, at);
  if (byte >> 6 !== 0b10) throw malformed("text is not modified UTF-8", at);
  return byte & 0x3f;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function malformed(what: string, offset: number): BlockError {
  return new BlockError("BYTES_MALFORMED", `${what} at offset ${offset}`);
}
