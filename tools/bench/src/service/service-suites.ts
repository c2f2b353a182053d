/** Everything that is measured of a shuffle service, in the order in which it runs. */
import type { ServiceSuite } from "./service-suite.ts";
import { fetchSuite } from "./suites/fetch-suite.ts";
import { restartSuite, startSuite } from "./suites/life-suites.ts";
import { openSuite } from "./suites/open-suite.ts";
import { LARGE, MEDIUM, MEDIUM_QUICK, SMALL, SMALL_QUICK } from "./suites/outputs.ts";
import { diagnoseSuite, registerSuite } from "./suites/request-suites.ts";

const SHAPES = ["by-reducer", "by-map"] as const;

/** See the file comment. */
export const SERVICE_SUITES: readonly ServiceSuite[] = [
  ...SHAPES.flatMap((shape) =>
    [1, 4].map((clients) => fetchSuite("storm", SMALL, SMALL_QUICK, shape, clients, 1.2)),
  ),
  ...SHAPES.map((shape) => fetchSuite("64k", MEDIUM, MEDIUM_QUICK, shape, 1, 1.1)),
  diagnoseSuite("service-diagnose-16k", "DiagnoseCorruption of 16 KiB, 8 in flight", SMALL, 8),
  diagnoseSuite("service-diagnose-16m", "DiagnoseCorruption of 16 MiB, 2 in flight", LARGE, 2),
  registerSuite,
  startSuite,
  restartSuite,
  openSuite("service-open-100x100", "a million open blocks, 100 maps x 100 partitions a stream", {
    mapsPerStream: 100,
    partitionsPerStream: 100,
    bytesMax: 5,
  }),
  openSuite("service-open-200x1", "a million open blocks, 200 maps x 1 partition a stream", {
    mapsPerStream: 200,
    partitionsPerStream: 1,
    bytesMax: 40,
  }),
];

/** Those that a name stands for: one, or all of them for `service`. */
export function serviceSuitesNamed(name: string): readonly ServiceSuite[] {
  return SERVICE_SUITES.filter((suite) => name === "service" || suite.name === name);
}
