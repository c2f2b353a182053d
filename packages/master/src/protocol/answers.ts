import type { BlockId, BlockManagerId } from "@bm/block";
import { type MessageCodec, protobufCodec, sizeFromWire, sizeToWire } from "@bm/rpc";
import { bm } from "../gen/master.js";
import {
  blockIdFromWire,
  blockNames,
  idFromWire,
  idsFromWire,
  idsToWire,
  idToWire,
} from "./values.ts";

/** Yes or no. */
export const flagCodec: MessageCodec<boolean> = protobufCodec(bm.master.Flag, {
  toWire: (value: boolean) => ({ value }),
  fromWire: (wire) => wire.value,
});

/** One block manager. */
export const idCodec: MessageCodec<BlockManagerId> = protobufCodec(bm.master.BlockManagerId, {
  toWire: idToWire,
  fromWire: idFromWire,
});

/** Several block managers. */
export const idsCodec: MessageCodec<readonly BlockManagerId[]> = protobufCodec(
  bm.master.BlockManagerIds,
  { toWire: idsToWire, fromWire: idsFromWire },
);

/** Several blocks. */
export const blockIdsCodec: MessageCodec<readonly BlockId[]> = protobufCodec(bm.master.BlockIds, {
  toWire: (ids: readonly BlockId[]) => ({ names: blockNames(ids) }),
  fromWire: (wire) => wire.names.map(blockIdFromWire),
});

/** One number of blocks. */
export const countCodec: MessageCodec<number> = protobufCodec(bm.master.Count, {
  toWire: (value: number) => ({ value: sizeToWire(value) }),
  fromWire: (wire) => sizeFromWire(wire.value),
});

/** Numbers of blocks, one per block manager. */
export const countsCodec: MessageCodec<readonly number[]> = protobufCodec(bm.master.Counts, {
  toWire: (values: readonly number[]) => ({ values: values.map(sizeToWire) }),
  fromWire: (wire) => wire.values.map(sizeFromWire),
});

/** Yes or no, one per block manager. */
export const flagsCodec: MessageCodec<readonly boolean[]> = protobufCodec(bm.master.Flags, {
  toWire: (values: readonly boolean[]) => ({ values: [...values] }),
  fromWire: (wire) => wire.values,
});
