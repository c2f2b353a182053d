import type { Workload } from "./workload.ts";

/** Who can take part. `ours` always does; the others are what it is compared with. */
export const CONTENDERS = ["ours", "jvm", "grpc", "net"] as const;

/** What the halves offer each other: bytes on the transport, or typed messages to an endpoint. */
export const SERVICES = ["bytes", "messages"] as const;

export type Service = (typeof SERVICES)[number];

export type ContenderName = (typeof CONTENDERS)[number];

/** One line of the benchmark. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly service: Service;
  /** Whose suite it is: one of Spark's NettyTransportBenchmark, or one of ours. */
  readonly origin: "spark" | "bm";
  /** What is compared. `memory`: bytes per unit. `share`: what a slow neighbour leaves of the speed. */
  readonly measure: "throughput" | "memory" | "share";
  readonly unit: string;
  readonly contenders: readonly ContenderName[];
  readonly load: SuiteLoad;
  /** What `--quick` changes. */
  readonly quick: Partial<SuiteLoad>;
}

/** The part of a workload that a suite decides; the rest depends on how it is run. */
export type SuiteLoad = Omit<Workload, "serverPid" | "isWarmUp" | "seconds">;
