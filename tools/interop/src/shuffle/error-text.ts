/** An error with its causes: which of them carries the words of the other end is its own affair. */
export function errorText(error: unknown): string {
  const texts: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    texts.push(`${cause.name}: ${cause.message}`);
  }
  return texts.length === 0 ? String(error) : texts.join("\nCaused by: ");
}
