/** One sorted run of records in a file, written once and read once. */
import type { CompressionCodec } from "@bm/codec";
import type { Files, OpenFile } from "@bm/transport";
import { asDiskFull } from "../../disk/disk-full.ts";
import { RecordReader } from "../../serializer/record-reader.ts";
import { RecordWriter } from "../../serializer/record-writer.ts";
import type { Serializer } from "../../serializer/serializer.ts";
import { StorageError } from "../../storage-error.ts";
import { MapOutputFile } from "../map-output-file.ts";
import type { Ranked } from "./run-order.ts";

/** How runs become files. */
export interface RunFormat<Key, Value> {
  readonly files: Files;
  readonly serializer: Serializer<Key, Value>;
  /** Null leaves the records uncompressed. */
  readonly codec: CompressionCodec | null;
}

/** A file with a run, and its length. */
export interface WrittenRun {
  readonly path: string;
  readonly bytes: number;
}

type Records<Key, Value> = readonly Ranked<Key, Value, unknown>[];

/** Records are gathered to this size before they are compressed and written. */
const WRITE_BYTES = 1024 * 1024;
/** What is held of each run while many are merged. */
const READ_BYTES = 128 * 1024;

/**
 * Writes a run; the file is removed when that fails.
 * @throws StorageError DISK_FULL; TransportError FILE_FAILED (rejects).
 */
export async function writeRun<Key, Value>(
  { files, serializer, codec }: RunFormat<Key, Value>,
  path: string,
  batches: Iterable<Records<Key, Value>> | AsyncIterable<Records<Key, Value>>,
): Promise<WrittenRun> {
  let file: MapOutputFile | null = null;
  try {
    file = await MapOutputFile.create(files, path, codec);
    const writer = new RecordWriter();
    for await (const batch of batches) {
      for (const { key, value } of batch) {
        writer.beginRecord();
        serializer.key.write(writer, key);
        serializer.value.write(writer, value);
        writer.endRecord();
        if (writer.length >= WRITE_BYTES) await flush(file, writer);
      }
    }
    await flush(file, writer);
    file.endPartition();
    const { lengths } = await file.finish();
    return { path, bytes: lengths[0] ?? 0 };
  } catch (error) {
    await file?.close().catch(() => {});
    await files.remove(path).catch(() => false);
    throw asDiskFull(error, path);
  }
}

async function flush(file: MapOutputFile, writer: RecordWriter): Promise<void> {
  await file.writeRecords(writer.bytes);
  writer.clear();
}

/** Reads a run from its beginning, in batches. */
export class RunReader<Key, Value> {
  readonly #format: RunFormat<Key, Value>;
  readonly #run: WrittenRun;
  readonly #records = new RecordReader();
  readonly #decoder;
  readonly #piece = Buffer.allocUnsafeSlow(READ_BYTES);
  #file: OpenFile | null = null;
  #position = 0;
  #isAtEnd = false;

  constructor(format: RunFormat<Key, Value>, run: WrittenRun) {
    this.#format = format;
    this.#run = run;
    this.#decoder = format.codec?.createDecoder() ?? null;
  }

  /** The next records, at least one; none at the end. @throws StorageError, TransportError (rejects). */
  async next(): Promise<(readonly [Key, Value])[]> {
    const batch: (readonly [Key, Value])[] = [];
    while (batch.length === 0 && !this.#isAtEnd) await this.#readPiece(batch);
    return batch;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #readPiece(batch: (readonly [Key, Value])[]): Promise<void> {
    const { path, bytes: length } = this.#run;
    this.#file ??= await this.#format.files.open(path, "read");
    const wanted = Math.min(READ_BYTES, length - this.#position);
    const piece = this.#piece.subarray(0, wanted);
    const count = await this.#file.read(piece, this.#position);
    if (count !== wanted) {
      throw new StorageError("BLOCK_DAMAGED", `${path}: a spill file became shorter`);
    }
    this.#position += count;
    this.#isAtEnd = this.#position === length;
    for (const bytes of this.#decoder?.push(piece) ?? [piece]) this.#drain(bytes, batch);
    if (!this.#isAtEnd) return;
    for (const bytes of this.#decoder?.finish() ?? []) this.#drain(bytes, batch);
    this.#records.finish();
  }

  #drain(bytes: Uint8Array, batch: (readonly [Key, Value])[]): void {
    const { key, value } = this.#format.serializer;
    this.#records.push(bytes);
    while (this.#records.nextRecord()) {
      batch.push([key.read(this.#records), value.read(this.#records)]);
      this.#records.endRecord();
    }
  }
}
