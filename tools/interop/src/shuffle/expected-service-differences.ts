/**
 * Where a meeting shows something else than the cases say, which is what Spark's client and Spark's
 * service of the reference release do: decisions of ours, and changes between releases of Spark.
 */
import type { ExpectedDifference } from "../pairing/expected-differences.ts";

/** The service is the `server` of a row. */
export const EXPECTED_SERVICE_DIFFERENCES: readonly ExpectedDifference[] = [
  {
    cases: /^blocks of an executor are removed that nobody knows$/,
    client: "ours",
    observed: "Executor is not registered",
    why: "our client rejects with what the service said; Spark's counts no block and logs it",
  },
  {
    cases: /^a text (that is longer than its message|of negative length)$/,
    server: "ours",
    observed: "message is malformed",
    why: "we judge lengths before we take anything; Spark fails in the middle of an array",
  },
];
