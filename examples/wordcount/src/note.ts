/** Tells a person something between the lines of the progress. */
export function note(text: string): void {
  const clear = process.stderr.isTTY ? "\r\x1b[K" : "";
  process.stderr.write(`${clear}         ${text}\n`);
}
