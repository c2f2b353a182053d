import type { ContenderName } from "../suites/suite.ts";
import type { NodeContender } from "./contender.ts";
import { grpc } from "./grpc.ts";
import { bareNet } from "./net.ts";
import { ours } from "./ours.ts";

/** Those whose halves run in Node; the JVM's are programs of their own. */
export const NODE_CONTENDERS: Readonly<Record<Exclude<ContenderName, "jvm">, NodeContender>> = {
  ours,
  grpc,
  net: bareNet,
};
