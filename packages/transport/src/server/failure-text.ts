/**
 * Our errors as the texts that Spark puts on the wire: the Java class name, a colon, the message
 * and a final newline. The reverse direction is in client/transport-response-handler.ts.
 */
import { TransportError, type TransportErrorCode } from "../transport-error.ts";

const RUNTIME_EXCEPTION = "java.lang.RuntimeException";

/** Java classes of failures that do not name one themselves. */
const JAVA_CLASSES: Partial<Record<TransportErrorCode, string>> = {
  STREAM_UNKNOWN: "java.lang.IllegalStateException",
  STREAM_OUT_OF_ORDER: "java.lang.IllegalStateException",
  STREAM_NOT_AUTHORIZED: "java.lang.SecurityException",
  OPTION_INVALID: "java.lang.IllegalArgumentException",
  UNSUPPORTED: "java.lang.UnsupportedOperationException",
  BODY_UNAVAILABLE: "java.io.IOException",
  FILE_FAILED: "java.io.IOException",
  CHANNEL_CLOSED: "java.io.IOException",
};

/** The text of a failure message. Any error with a string `javaClass` chooses its class itself. */
export function failureText(error: Error): string {
  return `${failureClassOf(error)}: ${error.message}\n`;
}

/** The text of a failure with its cause on a second line, as a stack trace shows it. */
export function failureTextWithCause(javaClass: string, message: string, cause: Error): string {
  return `${javaClass}: ${message}\nCaused by: ${failureText(cause)}`;
}

/** The Java class under which a peer is told of an error. */
export function failureClassOf(error: Error): string {
  if ("javaClass" in error && typeof error.javaClass === "string") return error.javaClass;
  if (error instanceof TransportError) return JAVA_CLASSES[error.code] ?? RUNTIME_EXCEPTION;
  return RUNTIME_EXCEPTION;
}

/**
 * Body of the answer when a failed upload is to be answered with a success message that carries a
 * code (pushed shuffle blocks do this): any error with a `responseBody`. Null for all others.
 */
export function responseBodyOf(error: Error): Uint8Array | null {
  return "responseBody" in error && error.responseBody instanceof Uint8Array
    ? error.responseBody
    : null;
}
