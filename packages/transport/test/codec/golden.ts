import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BytesManagedBuffer, int64, type Message, MessageType } from "../../src/index.ts";

/** One frame that Spark's own encoder produced. */
export interface GoldenFrame {
  readonly name: string;
  readonly type: keyof typeof MessageType;
  readonly fields: Readonly<Record<string, string | number>>;
  readonly hasBody: boolean;
  readonly bodyInFrame: boolean;
  readonly headerHex: string;
  readonly bodyHex: string;
  readonly frameHex: string;
}

export function readVectors<Entry>(name: string): Entry[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "../vectors", name), "utf8")) as Entry[];
}

export const goldenFrames: readonly GoldenFrame[] = readVectors("transport.json");

const INT64_FIELDS = new Set(["streamId", "requestId", "byteCount", "bodyByteCount"]);

/** The message that a golden entry describes, with its body in memory. */
export function messageOf(golden: Pick<GoldenFrame, "type" | "fields" | "bodyHex">): Message {
  const message: Record<string, unknown> = { type: MessageType[golden.type] };
  for (const [field, value] of Object.entries(golden.fields)) {
    message[field === "errorString" ? "error" : field] = fieldValue(golden.type, field, value);
  }
  if (hasBodyField(golden.type)) {
    message["body"] = new BytesManagedBuffer(Buffer.from(golden.bodyHex, "hex"));
  }
  return message as unknown as Message;
}

/** A decoded message in the form that golden entries have. */
export function plainFields(message: Message): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [field, value] of Object.entries(message)) {
    if (field === "type" || field === "body" || field === "bodyLease") continue;
    if (value instanceof Uint8Array) plain[field] = Buffer.from(value).toString("hex");
    else if (INT64_FIELDS.has(field)) plain[field] = String(value);
    else plain[field] = value as string | number;
  }
  return plain;
}

/** The fields of a golden entry under our names. */
export function goldenFields(golden: Pick<GoldenFrame, "fields">): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(golden.fields).map(([field, value]) => [
      field === "errorString" ? "error" : field,
      value,
    ]),
  );
}

function fieldValue(type: string, field: string, value: string | number): unknown {
  if (field === "meta") return Buffer.from(String(value), "hex");
  const isName = field === "streamId" && type.startsWith("Stream");
  return INT64_FIELDS.has(field) && !isName ? int64(BigInt(value)) : value;
}

function hasBodyField(type: string): boolean {
  return [
    "ChunkFetchSuccess",
    "RpcRequest",
    "RpcResponse",
    "OneWayMessage",
    "MergedBlockMetaSuccess",
    "StreamResponse",
    "UploadStream",
  ].includes(type);
}
