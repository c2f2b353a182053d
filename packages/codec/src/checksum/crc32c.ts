/**
 * CRC-32C in plain JavaScript, eight bytes a step ("slicing by 8"): 1 to 2 GiB/s, where one byte a step
 * gives 0.5.
 */
import type { Checksum } from "./checksum.ts";

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;
const TABLE_ENTRIES = 256;
const STEP_BYTES = 8;

/** Table k, at 256·k, has what a byte contributes when k more bytes of the step follow it. */
const TABLES = createTables();
const LAST_WORD_TABLES = TABLES.subarray(0, 4 * TABLE_ENTRIES);
const FIRST_WORD_TABLES = TABLES.subarray(4 * TABLE_ENTRIES);

/** CRC-32C (Castagnoli), as in iSCSI and ext4. */
export class Crc32C implements Checksum {
  readonly algorithm = "CRC32C";
  /** Bits inverted, as the algorithm keeps it. */
  #state = -1;

  get value(): number {
    return ~this.#state >>> 0;
  }

  update(bytes: Uint8Array): this {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wholeSteps = bytes.length - (bytes.length % STEP_BYTES);
    let state = this.#state;
    let index = 0;
    for (; index < wholeSteps; index += STEP_BYTES) {
      const first = wordThrough(FIRST_WORD_TABLES, state ^ view.getInt32(index, true));
      state = first ^ wordThrough(LAST_WORD_TABLES, view.getInt32(index + 4, true));
    }
    for (; index < bytes.length; index++) {
      state = (state >>> 8) ^ (TABLES[(state ^ view.getUint8(index)) & 0xff] ?? 0);
    }
    this.#state = state;
    return this;
  }

  reset(): void {
    this.#state = -1;
  }
}

function wordThrough(tables: Int32Array, word: number): number {
  return (
    (tables[3 * TABLE_ENTRIES + (word & 0xff)] ?? 0) ^
    (tables[2 * TABLE_ENTRIES + ((word >>> 8) & 0xff)] ?? 0) ^
    (tables[TABLE_ENTRIES + ((word >>> 16) & 0xff)] ?? 0) ^
    (tables[word >>> 24] ?? 0)
  );
}

function createTables(): Int32Array {
  const tables = new Int32Array(STEP_BYTES * TABLE_ENTRIES);
  for (let byte = 0; byte < TABLE_ENTRIES; byte++) {
    let entry = byte;
    for (let bit = 0; bit < 8; bit++) entry = (entry >>> 1) ^ (entry & 1 ? POLYNOMIAL : 0);
    tables[byte] = entry;
  }
  for (let index = TABLE_ENTRIES; index < tables.length; index++) {
    const previous = tables[index - TABLE_ENTRIES] ?? 0;
    tables[index] = (previous >>> 8) ^ (tables[previous & 0xff] ?? 0);
  }
  return tables;
}
