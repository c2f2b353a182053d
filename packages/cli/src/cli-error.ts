/** A mistake of whoever started the command: its message is printed as the only line. */
export class CliError extends Error {
  override readonly name = "CliError";
}
