import { int64 } from "@bm/transport";
import type { BlockTransferMessage, BlockTransferMessageName } from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";

/** One message that Spark encoded. */
export interface GoldenMessage {
  readonly name: string;
  readonly type: BlockTransferMessageName;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly hex: string;
}

/** What Spark makes of bytes that are no proper message. */
export interface OddMessage {
  readonly name: string;
  readonly hex: string;
  readonly result: "error" | "decoded";
  readonly message?: string | null;
}

export const goldenMessages: readonly GoldenMessage[] = readVectors(
  "shuffle-messages.json",
) as GoldenMessage[];
export const oddMessages: readonly OddMessage[] = readVectors(
  "shuffle-messages-invalid.json",
) as OddMessage[];

/** The message that a golden entry describes; bitmaps are left out, they are described by values. */
export function messageOf({ type, fields }: GoldenMessage): BlockTransferMessage {
  const message: Record<string, unknown> = { type };
  for (const [field, value] of Object.entries(fields)) {
    const convert = CONVERSIONS[field];
    if (convert === undefined) message[field] = value;
    else Object.assign(message, convert(value));
  }
  if (type === "LocalDirsForExecutors") delete message["execIds"];
  if (type === "RegisterExecutor") {
    const { localDirs, subDirsPerLocalDir, shuffleManager, ...rest } = message;
    const executorInfo = { localDirs, subDirsPerLocalDir, shuffleManager };
    return { ...rest, executorInfo } as unknown as BlockTransferMessage;
  }
  return message as unknown as BlockTransferMessage;
}

type Conversion = (value: unknown) => Record<string, unknown>;

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  streamId: (value) => ({ streamId: int64(BigInt(value as string)) }),
  mapId: (value) => ({ mapId: BigInt(value as string) }),
  checksum: (value) => ({ checksum: BigInt(value as string) }),
  mapIds: (value) => ({ mapIds: (value as string[]).map(BigInt) }),
  sizes: (value) => ({ sizes: (value as string[]).map(BigInt) }),
  metadataHex: (value) => ({ metadata: Buffer.from(value as string, "hex") }),
  blockDataHex: (value) => ({ blockData: Buffer.from(value as string, "hex") }),
  localDirsByExec: (value) => ({ localDirsByExec: new Map(Object.entries(value as object)) }),
  // How the map of directories travels is the codec's affair.
  numLocalDirsByExec: () => ({}),
  allLocalDirs: () => ({}),
  ordinal: () => ({}),
  returnCodeName: (value) => ({ returnCode: value }),
  returnCode: () => ({}),
  message: () => ({}),
  retriable: () => ({}),
  bitmaps: () => ({}),
};
