import type { BlockManagerId } from "@bm/block";
import { defineMessage, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { idsCodec } from "./answers.ts";

/** How many shuffle services are wanted for merging, and on which hosts not. */
export interface MergerQuery {
  readonly numMergersNeeded: number;
  readonly hostsToFilter: readonly string[];
}

/** Shuffle services that can merge pushed blocks. */
export const GetShufflePushMergerLocations: RpcMessage<MergerQuery, readonly BlockManagerId[]> =
  defineMessage({
    type: "GetShufflePushMergerLocations",
    request: protobufCodec(bm.master.GetShufflePushMergerLocations, {
      toWire: ({ numMergersNeeded, hostsToFilter }: MergerQuery) => ({
        numMergersNeeded,
        hostsToFilter: [...hostsToFilter],
      }),
      fromWire: (wire) => ({
        numMergersNeeded: wire.numMergersNeeded,
        hostsToFilter: wire.hostsToFilter,
      }),
    }),
    reply: idsCodec,
  });

/** Takes a host out of the list of mergers. */
export const RemoveShufflePushMergerLocation: RpcMessage<string, void> = defineMessage({
  type: "RemoveShufflePushMergerLocation",
  request: protobufCodec(bm.master.RemoveShufflePushMergerLocation, {
    toWire: (host: string) => ({ host }),
    fromWire: (wire) => wire.host,
  }),
});
