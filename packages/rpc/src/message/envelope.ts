/**
 * The bytes around a message: whom it is for, what it is, and what came of it (proto/rpc.proto).
 */
import { bm } from "../gen/rpc.js";
import { isAnswerCode, RpcError } from "../rpc-error.ts";

/** A message on its way. */
export interface RequestEnvelope {
  readonly endpoint: string;
  readonly type: string;
  readonly payload: Uint8Array;
  readonly isOneWay: boolean;
}

/** Enough for any message of ours; a handler's error may quote anything. */
const FAILURE_TEXT_CHARACTERS_MAX = 16 * 1024;

/** The bytes to send. */
export function encodeRequest(request: RequestEnvelope): Uint8Array {
  const { endpoint, type, payload, isOneWay } = request;
  return bm.rpc.Request.encode({ endpoint, type, payload, oneWay: isOneWay }).finish();
}

/** The payload is a view on `bytes`. @throws RpcError MESSAGE_MALFORMED */
export function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  const { endpoint, type, payload, oneWay } = decoded(() => bm.rpc.Request.decode(bytes));
  if (endpoint === "" || type === "") {
    throw new RpcError("MESSAGE_MALFORMED", "a request without endpoint or message type");
  }
  return { endpoint, type, payload, isOneWay: oneWay };
}

/** The bytes of an answer. */
export function encodeReply(payload: Uint8Array): Uint8Array {
  return bm.rpc.Reply.encode({ payload }).finish();
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

function failureOf(code: string, message: string, remoteCode: string): RpcError {
  const remote = remoteCode === "" ? null : remoteCode;
  if (isAnswerCode(code)) return new RpcError(code, message, { remoteCode: remote });
  return new RpcError("REMOTE_FAILURE", message, { remoteCode: remote ?? code });
}

function codeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

function decoded<Value>(decode: () => Value): Value {
  try {
    return decode();
  } catch (cause) {
    throw new RpcError("MESSAGE_MALFORMED", "no envelope of this protocol", { cause });
  }
}
