/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const TRANSPORT_ERROR_CODES = {
  FRAME_LENGTH_INVALID: "A peer declared a frame length that is not positive or above the limit.",
  FRAME_TRUNCATED: "A peer closed the connection in the middle of a frame or stream.",
  FOREIGN_PROTOCOL: "The peer speaks another protocol (HTTP, TLS, SSH, an encrypted channel).",
  MESSAGE_MALFORMED: "A frame does not hold a complete message of a known type.",
  MESSAGE_UNEXPECTED: "A well-formed message arrived where its type is not allowed.",
  BODY_UNAVAILABLE: "A body could not be opened, or ended before its declared length.",
  BODY_TOO_LARGE: "A body does not fit into one frame or one buffer.",
  BODY_RELEASED: "A body was read after its release.",
  CHANNEL_CLOSED: "The connection is closed; everything outstanding on it failed.",
  CHANNEL_IDLE: "The connection was closed because requests were outstanding and nothing moved.",
  CONNECT_FAILED: "The peer refused the connection, cannot be reached, or its name is unknown.",
  CONNECT_TIMEOUT: "The connection was not established within the creation timeout.",
  CONNECT_FAST_FAILED: "A recent attempt to connect to the same address failed.",
  BOOTSTRAP_FAILED: "A client bootstrap refused the new connection.",
  REQUEST_TIMEOUT: "No answer arrived within the time given for the request.",
  REQUEST_ABORTED: "The caller gave the request up.",
  WRITE_FAILED: "Bytes could not be written to the connection.",
  REMOTE_FAILURE: "The peer answered with a failure; the message carries its text.",
  CHUNK_FETCH_FAILED: "The peer answered a chunk request with a failure.",
  STREAM_FAILED: "The peer answered a stream request with a failure.",
  STREAM_UNKNOWN: "The stream does not exist, or was read to its end.",
  STREAM_OUT_OF_ORDER: "A chunk was asked for out of order.",
  STREAM_NOT_AUTHORIZED: "The client may not read this stream.",
  UNSUPPORTED: "The handler does not support this request.",
  BIND_FAILED: "The server could not listen on the address.",
  FILE_FAILED: "The file system refused an operation.",
  CLOSED: "The object was used after it was closed.",
  OPTION_INVALID: "An option or configuration value is out of its range.",
} as const;

/** A key of {@link TRANSPORT_ERROR_CODES}. */
export type TransportErrorCode = keyof typeof TRANSPORT_ERROR_CODES;

/** What a {@link TransportError} may carry besides its code. */
export interface TransportErrorOptions {
  readonly cause?: unknown;
  /** Name of the Java class that Spark uses for the same failure; sent on the wire before the message. */
  readonly javaClass?: string;
}

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: TransportErrorCode;
  readonly javaClass: string | undefined;

  constructor(code: TransportErrorCode, message: string, options: TransportErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.javaClass = options.javaClass;
  }
}

const CONNECTION_CODES: ReadonlySet<TransportErrorCode> = new Set([
  "FRAME_TRUNCATED",
  "CHANNEL_CLOSED",
  "CHANNEL_IDLE",
  "CONNECT_FAILED",
  "CONNECT_TIMEOUT",
  "CONNECT_FAST_FAILED",
  "WRITE_FAILED",
]);

/**
 * True for failures of the connection rather than of the request: what a JVM sees as an IOException.
 * Asking again over another connection may help.
 */
export function isConnectionError(error: unknown): error is TransportError {
  return error instanceof TransportError && CONNECTION_CODES.has(error.code);
}
