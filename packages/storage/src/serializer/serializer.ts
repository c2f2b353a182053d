import type { RecordReader } from "./record-reader.ts";
import type { RecordWriter } from "./record-writer.ts";

/** How one kind of field is written and read. Reading throws StorageError RECORD_MALFORMED. */
export interface Field<Value> {
  write(writer: RecordWriter, value: Value): void;
  read(reader: RecordReader): Value;
}

/** How the records of a shuffle become bytes and back. */
export interface Serializer<Key, Value> {
  readonly key: Field<Key>;
  readonly value: Field<Value>;
}

/** Text as UTF-8. */
export const stringField: Field<string> = {
  write: (writer, value) => writer.writeString(value),
  read: (reader) => reader.readString(),
};

/** Bytes as they are; what is read is a copy of its own. */
export const bytesField: Field<Uint8Array> = {
  write: (writer, value) => writer.writeBytes(value),
  read: (reader) => Uint8Array.from(reader.readBytes()),
};

/** Whole numbers from 0 to 2^53 - 1: small ones take one byte. */
export const countField: Field<number> = {
  write: (writer, value) => writer.writeVarint(value),
  read: (reader) => reader.readVarint(),
};

/** Any number, in eight bytes. */
export const doubleField: Field<number> = {
  write: (writer, value) => writer.writeDouble(value),
  read: (reader) => reader.readDouble(),
};
