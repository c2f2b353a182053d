import { readdir } from "node:fs/promises";
import {
  equalRpcAddresses,
  RpcEndpoint,
  type RpcEndpointRef,
  type RpcEnv,
  type RpcPeer,
} from "@bm/rpc";
import { isKey } from "./contents.ts";
import { Announce, ContentPort, List, Watch } from "./messages.ts";

/** Answers for the artifacts of a directory, and knows who wants to hear of new ones. */
export class Artifacts extends RpcEndpoint {
  readonly #watchers = new Set<RpcEndpointRef>();

  constructor(env: RpcEnv, directory: string, contentPort: number) {
    super();
    this.receiveAndReply(List, async () => (await readdir(directory)).filter(isKey));
    this.receiveAndReply(ContentPort, () => contentPort);
    this.receive(Watch, (watcher) => {
      this.#watchers.add(env.endpointRefAt(watcher));
    });
    this.receive(Announce, (key) => {
      for (const watcher of this.#watchers) void watcher.send(Announce, key);
    });
  }

  /** A watcher that is gone watches no longer. */
  override onDisconnected({ address }: RpcPeer): void {
    for (const watcher of this.#watchers) {
      const isGone = watcher.address && address && equalRpcAddresses(watcher.address, address);
      if (isGone) this.#watchers.delete(watcher);
    }
  }
}
