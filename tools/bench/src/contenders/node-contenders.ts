import type { ContenderName, Service } from "../suites/suite.ts";
import type { NodeContender } from "./contender.ts";
import { grpc } from "./grpc.ts";
import { grpcMessages } from "./grpc-messages.ts";
import { bareNet } from "./net.ts";
import { ours } from "./ours.ts";
import { oursMessages } from "./ours-messages.ts";

/** Those whose halves run in Node; the JVM's are programs of their own. */
export type NodeContenderName = Exclude<ContenderName, "jvm">;

const NODE_CONTENDERS: Readonly<
  Record<Service, Partial<Record<NodeContenderName, NodeContender>>>
> = {
  bytes: { ours, grpc, net: bareNet },
  messages: { ours: oursMessages, grpc: grpcMessages },
};

/** Both halves of a contender for a service. Throws when it does not offer it. */
export function nodeContender(service: Service, name: NodeContenderName): NodeContender {
  const found = NODE_CONTENDERS[service][name];
  if (found === undefined) throw new Error(`${name} has no halves for ${service}`);
  return found;
}
