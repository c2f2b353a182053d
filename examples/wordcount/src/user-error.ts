/** Something the person at the keyboard can mend. Printed as one line; the exit code is 2. */
export class UserError extends Error {
  override readonly name = "UserError";
}

const DISK_FULL = "the disk is full; free some space or set TMPDIR to another disk";

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: DISK_FULL,
  DISK_FULL,
  EDQUOT: "the disk quota is used up; free some space or set TMPDIR to another disk",
  EADDRINUSE: "the port is in use; choose another with --port, or 0 for any free one",
  EACCES: "permission denied",
};

/** One line about any failure: what the system said, if it is one that a person can mend. */
export function explainFailure(error: Error): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const explanation = codesOf(cause)
      .map((code) => SYSTEM_ERRORS[code])
      .find(Boolean);
    if (explanation !== undefined) return `${explanation} (${oneLine(error.message)})`;
  }
  return oneLine(error.message);
}

/** Its own code, and the code of the failure in another process that it reports. */
function codesOf(error: Error): string[] {
  const { code, remoteCode } = error as { code?: unknown; remoteCode?: unknown };
  return [code, remoteCode].filter((value) => typeof value === "string");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}
