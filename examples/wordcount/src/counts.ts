/** Word counts as the content of a block. */
import { countField, RecordReader, RecordWriter, stringField } from "@bm/storage";

export function encodeCounts(counts: ReadonlyMap<string, number>): Uint8Array {
  const writer = new RecordWriter();
  for (const [word, count] of counts) {
    writer.beginRecord();
    stringField.write(writer, word);
    countField.write(writer, count);
    writer.endRecord();
  }
  return Uint8Array.from(writer.bytes);
}

/** Adds the counts in `bytes` to `counts`. */
export function decodeCountsInto(counts: Map<string, number>, bytes: Uint8Array): void {
  const reader = new RecordReader();
  reader.push(bytes);
  while (reader.nextRecord()) {
    counts.set(stringField.read(reader), countField.read(reader));
    reader.endRecord();
  }
  reader.finish();
}
