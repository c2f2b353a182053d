/** One test as vitest reports it. */
export interface TestOutcome {
  /** The groups and the test, joined by spaces. */
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
}

/** The tests of one package. */
export interface TestReport {
  readonly outcomes: readonly TestOutcome[];
}

/** The part of vitest's JSON report that is read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
    }[];
  }[];
}

/** Reads vitest's JSON report. A file that failed before its first test counts as one failure. */
export function readTestReport(json: string): TestReport {
  const report = JSON.parse(json) as VitestReport;
  return {
    outcomes: report.testResults.flatMap(({ name, status, assertionResults }) => {
      const outcomes = assertionResults.map((test) => ({
        name: test.fullName,
        state: stateOf(test.status),
      }));
      const isBroken = status === "failed" && !outcomes.some(({ state }) => state === "failed");
      return isBroken ? [...outcomes, { name: `${name} (the file)`, state: "failed" }] : outcomes;
    }),
  };
}

function stateOf(status: string): TestOutcome["state"] {
  return status === "passed" || status === "failed" ? status : "skipped";
}
