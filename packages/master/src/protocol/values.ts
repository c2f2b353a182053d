/**
 * Blocks, block managers and levels as protobuf fields. What does not make a value throws, which the
 * codecs report as MESSAGE_MALFORMED.
 */
import {
  type BlockId,
  type BlockIdKind,
  BlockManagerId,
  type BlockStatus,
  parseBlockId,
  StorageLevel,
} from "@bm/block";
import { sizeFromWire, sizeToWire } from "@bm/rpc";
import type { bm } from "../gen/master.js";

/** Which blocks are meant. Without fields: all. */
export interface BlockIdFilter {
  /** One of these kinds; empty or absent: of every kind. */
  readonly kinds?: readonly BlockIdKind[];
  /** The name starts so. */
  readonly namePrefix?: string;
}

/** Whether a filter means a block. */
export function matchesFilter(filter: BlockIdFilter, id: BlockId): boolean {
  const { kinds = [], namePrefix = "" } = filter;
  return (kinds.length === 0 || kinds.includes(id.kind)) && id.name.startsWith(namePrefix);
}

/** Fields of a block manager id. */
export function idToWire(id: BlockManagerId): bm.master.BlockManagerId.$Properties {
  const { executorId, host, port, topologyInfo } = id;
  return { executorId, host, port, topologyInfo };
}

/** A block manager id. */
export function idFromWire(
  fields: bm.master.BlockManagerId.$Properties | null | undefined,
): BlockManagerId {
  const { executorId, host, port, topologyInfo } = fields ?? {};
  return BlockManagerId.of(executorId ?? "", host ?? "", port ?? 0, topologyInfo ?? null);
}

/** Fields of a list of block manager ids. */
export function idsToWire(ids: readonly BlockManagerId[]): bm.master.BlockManagerIds.$Properties {
  return { ids: ids.map(idToWire) };
}

/** A list of block manager ids. */
export function idsFromWire(
  fields: bm.master.BlockManagerIds.$Properties | null | undefined,
): BlockManagerId[] {
  return (fields?.ids ?? []).map(idFromWire);
}

/** A block id, which travels by its name. */
export function blockIdFromWire(name: string | null | undefined): BlockId {
  return parseBlockId(name ?? "");
}

/** Names of blocks. */
export function blockNames(ids: readonly BlockId[]): string[] {
  return ids.map((id) => id.name);
}

/** Fields of a level. */
export function levelToWire(level: StorageLevel): bm.master.StorageLevel.$Properties {
  return { flags: level.flags, replication: level.replication };
}

/** A level; absent is NONE with replication 0. */
export function levelFromWire(
  fields: bm.master.StorageLevel.$Properties | null | undefined,
): StorageLevel {
  return StorageLevel.fromFlags(fields?.flags ?? 0, fields?.replication ?? 0);
}

/** Fields of a block's status. */
export function statusToWire(status: BlockStatus): bm.master.BlockStatus.$Properties {
  return {
    storageLevel: levelToWire(status.storageLevel),
    memSize: sizeToWire(status.memSize),
    diskSize: sizeToWire(status.diskSize),
  };
}

/** A block's status. */
export function statusFromWire(
  fields: bm.master.BlockStatus.$Properties | null | undefined,
): BlockStatus {
  return {
    storageLevel: levelFromWire(fields?.storageLevel),
    memSize: sizeFromWire(fields?.memSize),
    diskSize: sizeFromWire(fields?.diskSize),
  };
}
