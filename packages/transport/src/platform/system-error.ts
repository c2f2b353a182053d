/**
 * An error in the shape in which Node reports a refusal of the operating system: `code` names it
 * (`ENOENT`, `ECONNREFUSED`). Made by the in-memory platform so that it fails like the real one.
 */
export interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
}

/** Makes such an error. @param subject the path or address that the call was about. */
export function systemError(code: string, syscall: string, subject: string): SystemError {
  return Object.assign(new Error(`${code}: ${syscall} ${subject}`), { code, syscall });
}

/** The `code` of an error that came from Node, or null when it has none. */
export function systemErrorCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
