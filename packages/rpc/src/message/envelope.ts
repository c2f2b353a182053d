/**
 * The bytes around a message: whom it is for, what it is, and what came of it (proto/rpc.proto).
 *
 * What is the same for all messages of a type to an endpoint is encoded once, and the payload is put
 * behind it by hand: for a payload of 150 bytes that takes 0.4 us, where protobufjs takes 1.1 us to copy
 * it into a writer that grows, and out of it again.
 */
import { bm } from "../gen/rpc.js";
import { isAnswerCode, RpcError } from "../rpc-error.ts";

/** A message on its way. */
export interface RequestEnvelope {
  readonly endpoint: string;
  readonly type: string;
  readonly payload: Uint8Array;
  readonly isOneWay: boolean;
  /** Names the message within its connection; 0 when it is never given up. */
  readonly callId: number;
}

/** Enough for any message of ours; a handler's error may quote anything. */
const FAILURE_TEXT_CHARACTERS_MAX = 16 * 1024;

/** Field number and wire type of protobuf in one byte. */
const REQUEST_PAYLOAD_TAG = (3 << 3) | 2;
const REQUEST_CALL_ID_TAG = (5 << 3) | 0;
const REPLY_PAYLOAD_TAG = (1 << 3) | 2;
/** A tag and a varint of 32 bits. */
const FIELD_HEAD_BYTES_MAX = 6;

/** The part of a request that all messages of one type to one endpoint share. */
export function encodeRequestHead(endpoint: string, type: string, isOneWay: boolean): Uint8Array {
  return bm.rpc.Request.encode({ endpoint, type, oneWay: isOneWay }).finish();
}

/** The bytes to send: a head of {@link encodeRequestHead}, and what is this message's own. */
export function encodeRequest(head: Uint8Array, payload: Uint8Array, callId: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(head.length + 2 * FIELD_HEAD_BYTES_MAX + payload.length);
  bytes.set(head);
  let at = head.length;
  if (callId !== 0) at = writeField(bytes, at, REQUEST_CALL_ID_TAG, callId);
  at = writeField(bytes, at, REQUEST_PAYLOAD_TAG, payload.length);
  bytes.set(payload, at);
  return bytes.subarray(0, at + payload.length);
}

/** The payload is a view on `bytes`. @throws RpcError MESSAGE_MALFORMED */
export function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  const { endpoint, type, payload, oneWay, callId } = decoded(() => bm.rpc.Request.decode(bytes));
  if (endpoint === "" || type === "") {
    throw new RpcError("MESSAGE_MALFORMED", "a request without endpoint or message type");
  }
  return { endpoint, type, payload, isOneWay: oneWay, callId };
}

/** The bytes of an answer. */
export function encodeReply(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(FIELD_HEAD_BYTES_MAX + payload.length);
  const at = writeField(bytes, 0, REPLY_PAYLOAD_TAG, payload.length);
  bytes.set(payload, at);
  return bytes.subarray(0, at + payload.length);
}

/** The bytes of an answer that says what went wrong. */
export function encodeFailure(error: RpcError): Uint8Array {
  const message = error.message.slice(0, FAILURE_TEXT_CHARACTERS_MAX);
  const failure = { code: error.code, message, remoteCode: error.remoteCode ?? "" };
  return bm.rpc.Reply.encode({ failure }).finish();
}

/**
 * Gives the payload of an answer, a view on `bytes`.
 * @throws RpcError what the peer said went wrong, or MESSAGE_MALFORMED.
 */
export function decodeReply(bytes: Uint8Array): Uint8Array {
  const { failure, payload } = decoded(() => bm.rpc.Reply.decode(bytes));
  if (failure) throw failureOf(failure.code ?? "", failure.message ?? "", failure.remoteCode ?? "");
  if (payload) return payload;
  throw new RpcError("MESSAGE_MALFORMED", "an answer without outcome");
}

/** What a handler's error is for whoever asked, in this process or another. */
export function handlerFailure(error: unknown): RpcError {
  const message = error instanceof Error ? error.message : String(error);
  return new RpcError("REMOTE_FAILURE", message, { cause: error, remoteCode: codeOf(error) });
}

/** What `decode` gives; whatever it throws means that the bytes are of another protocol. */
export function decoded<Value>(decode: () => Value): Value {
  try {
    return decode();
  } catch (cause) {
    throw new RpcError("MESSAGE_MALFORMED", "no envelope of this protocol", { cause });
  }
}

/** Gives the position behind the field. */
function writeField(bytes: Buffer, at: number, tag: number, value: number): number {
  bytes[at] = tag;
  let end = at + 1;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) {
    bytes[end] = (rest & 0x7f) | 0x80;
    end += 1;
  }
  bytes[end] = rest;
  return end + 1;
}

function failureOf(code: string, message: string, remoteCode: string): RpcError {
  const remote = remoteCode === "" ? null : remoteCode;
  if (isAnswerCode(code)) return new RpcError(code, message, { remoteCode: remote });
  return new RpcError("REMOTE_FAILURE", message, { remoteCode: remote ?? code });
}

function codeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
