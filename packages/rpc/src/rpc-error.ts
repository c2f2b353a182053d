/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const RPC_ERROR_CODES = {
  TIMEOUT: "No answer arrived within the time given for the request.",
  ABORTED: "The caller gave the request up.",
  CONNECT_FAILED: "The peer could not be reached; the message was not sent.",
  BOOTSTRAP_FAILED: "A new connection was refused while it was set up, as by authentication.",
  CONNECTION_LOST: "The connection ended before the answer; the message may have been handled.",
  ENDPOINT_NOT_FOUND: "The peer has no endpoint of that name: it never had one, or it stopped.",
  ENV_STOPPED: "The environment that would send or handle the message has stopped.",
  INBOX_FULL: "The endpoint has as many messages waiting as it may hold; the message was refused.",
  OUTBOX_FULL: "As many messages wait for an answer as may; the message was not sent.",
  MESSAGE_UNKNOWN: "The endpoint does not handle messages of this type.",
  MESSAGE_MALFORMED: "The bytes of a message do not hold what its type asks for.",
  MESSAGE_TOO_LARGE: "A message is larger than spark.rpc.message.maxSize.",
  REMOTE_FAILURE: "The handler failed; `remoteCode` has the code of its error.",
  ENDPOINT_NAME_INVALID: "The name of an endpoint is empty, too long, or already taken.",
  ADDRESS_INVALID: "An address is not of the form host:port.",
  ADDRESS_MISSING: "A reference to an endpoint that no other process can reach was to be sent.",
  BIND_FAILED: "The environment could not listen on its address.",
  OPTION_INVALID: "An option or configuration value is out of its range.",
} as const;

/** A key of {@link RPC_ERROR_CODES}. */
export type RpcErrorCode = keyof typeof RPC_ERROR_CODES;

/** What an {@link RpcError} may carry besides its code. */
export interface RpcErrorOptions {
  readonly cause?: unknown;
  /** Code of the error that a handler failed with. */
  readonly remoteCode?: string | null;
}

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcErrorCode;
  /** With code REMOTE_FAILURE: the code of the handler's error, null when that had none. */
  readonly remoteCode: string | null;

  constructor(code: RpcErrorCode, message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remoteCode = options.remoteCode ?? null;
  }
}

/** Asking again may help with these, at the price that the message may be handled more than once. */
const RETRYABLE_CODES: ReadonlySet<RpcErrorCode> = new Set([
  "TIMEOUT",
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "INBOX_FULL",
  "OUTBOX_FULL",
]);

/**
 * Whether asking again may help: the failure is of the way there or of the moment, and says nothing
 * about the message itself.
 */
export function isRetryable(error: unknown): error is RpcError {
  return error instanceof RpcError && RETRYABLE_CODES.has(error.code);
}

/** What a receiver may blame; any other code in an answer is not believed. */
const ANSWER_CODES: ReadonlySet<string> = new Set<RpcErrorCode>([
  "ENDPOINT_NOT_FOUND",
  "ENV_STOPPED",
  "INBOX_FULL",
  "MESSAGE_UNKNOWN",
  "MESSAGE_MALFORMED",
  "MESSAGE_TOO_LARGE",
  "REMOTE_FAILURE",
]);

/** Whether a receiver may give this code as the outcome of a message. */
export function isAnswerCode(code: string): code is RpcErrorCode {
  return ANSWER_CODES.has(code);
}
