/**
 * The words of a failure that the two sides wrap differently. Spark's texts carry classes and stacks,
 * and its releases wrap causes in more or fewer exceptions; what is told must be the same.
 */
const PHRASES: readonly (string | RegExp)[] = [
  "is not registered or NM was restarted",
  "Executor is not registered",
  "Failed to get the merge directory information",
  "is received after merged shuffle is finalized",
  "experienced merge collision on the server side",
  "is a stale block push from an indeterminate stage retry",
  "is from an older app attempt",
  "stale shuffle finalize request as shuffle blocks of a higher shuffleMergeId",
  "stale shuffle block fetch request as shuffle blocks of a higher shuffleMergeId",
  /The attempt id -?\d+ in this \w+ message does not match with the current attempt id -?\d+/,
  /Unexpected message with #receiveStream/,
  /Unexpected message: [\w.]+/,
  /Unknown message type: -?\d+/,
  /Merged shuffle \w+ file/,
  /duplicate element/,
  "message is malformed",
  /(IndexOutOfBounds|NegativeArraySize)Exception/,
  /Connection from \S+ (closed|lost)/,
];

/** The first of them that the error has, or all of its text. */
export function phraseOf({ message }: Error): string {
  for (const phrase of PHRASES) {
    const found =
      typeof phrase === "string" ? message.includes(phrase) && phrase : message.match(phrase)?.[0];
    // Some releases print the package of a message too.
    if (found !== false && found !== undefined) return found.replace(/(?<=: )[\w.]+[.]/, "");
  }
  return message;
}
