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
  {
    cases: /^where the files of an executor are that is named twice$/,
    server: "theirs",
    versions: /^(3[.]|4[.]0[.])/,
    observed: "given",
    why: "releases before 4.1 take an executor's name twice",
  },
  {
    cases: /^why a block is corrupt, by CRC32C$/,
    server: "theirs",
    versions: /^3[.]/,
    observed: [
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
      "UNKNOWN_ISSUE",
      "UNKNOWN_ISSUE",
      "UNKNOWN_ISSUE",
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
      "UNSUPPORTED_CHECKSUM_ALGORITHM",
    ],
    why: "releases before 4.0 do not know CRC-32C",
  },
  {
    cases: /^the registration of a Mesos driver$/,
    server: "theirs",
    versions: /^3[.]/,
    observed: "Unexpected message: RegisterDriver",
    why: "releases before 4.0 know the messages of Mesos, and this service is not for them",
  },
  {
    cases: /^the heartbeat of a Mesos driver$/,
    server: "theirs",
    versions: /^3[.]/,
    observed: "Unexpected message: ShuffleServiceHeartbeat",
    why: "as above, for the heartbeat",
  },
  {
    cases: /^a text of negative length$/,
    server: "theirs",
    versions: /^(4[.]0[.][4-9]|4[.][2-9]|[5-9])/,
    observed: "IndexOutOfBoundsException",
    why: "4.0.4 and what follows 4.1 look at a length before they make an array",
  },
];
