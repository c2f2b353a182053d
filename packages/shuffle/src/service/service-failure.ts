import { ShuffleError, type ShuffleErrorCode } from "../shuffle-error.ts";

/** Java classes of the failures that peers of a shuffle service know by their text. */
export const JAVA = {
  illegalArgument: "java.lang.IllegalArgumentException",
  illegalState: "java.lang.IllegalStateException",
  indexOutOfBounds: "java.lang.IndexOutOfBoundsException",
  arrayIndexOutOfBounds: "java.lang.ArrayIndexOutOfBoundsException",
  nullPointer: "java.lang.NullPointerException",
  numberFormat: "java.lang.NumberFormatException",
  runtime: "java.lang.RuntimeException",
  security: "java.lang.SecurityException",
  unsupportedOperation: "java.lang.UnsupportedOperationException",
} as const;

/**
 * A failure under the class that Spark's service names for it, which differs from case to case where
 * our code is the same.
 */
export function serviceFailure(
  code: ShuffleErrorCode,
  javaClass: string,
  message: string,
  cause?: unknown,
): ShuffleError {
  return Object.assign(new ShuffleError(code, message, { cause }), { javaClass });
}

/** Nobody registered this executor, or its application is gone. */
export function executorNotRegistered(appId: string, execId: string): ShuffleError {
  const text = `Executor is not registered (appId=${appId}, execId=${execId})`;
  return serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text);
}
