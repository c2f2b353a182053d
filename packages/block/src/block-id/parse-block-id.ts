/**
 * Reads block names by Spark's grammar, oddities included, because both sides must agree on what a
 * name means: the first pattern that fits the whole text wins, and the character before `data`,
 * `index` and `meta` may be anything.
 */
import { BlockError } from "../block-error.ts";
import { parseInt32, parseInt64 } from "../java/java-integers.ts";
import type { BlockId } from "./block-id.ts";
import {
  broadcastBlockId,
  pythonStreamBlockId,
  rddBlockId,
  streamBlockId,
  taskResultBlockId,
} from "./data-block-ids.ts";
import {
  pythonWorkerLogBlockId,
  tempLocalBlockId,
  tempShuffleBlockId,
  testBlockId,
  testLogBlockId,
} from "./local-block-ids.ts";
import {
  shuffleBlockChunkId,
  shuffleMergedBlockId,
  shuffleMergedDataBlockId,
  shuffleMergedIndexBlockId,
  shuffleMergedMetaBlockId,
  shufflePushBlockId,
} from "./merged-block-ids.ts";
import {
  shuffleBlockBatchId,
  shuffleBlockId,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "./shuffle-block-ids.ts";

type GroupReader = (groups: Groups) => BlockId;

const N = "([0-9]+)";
/** Java's dot: one code point that ends no line. JavaScript's takes U+0085 as well. */
const DOT = "[^\\n\\r\\u0085\\u2028\\u2029]";
const APP = "([_A-Za-z0-9]*)";
const UUID = "([-A-Fa-f0-9]+)";

/** In the order in which they are tried. */
const GRAMMAR: readonly (readonly [RegExp, GroupReader])[] = [
  rule(`rdd_${N}_${N}`, (g) => rddBlockId(g.int(), g.int())),
  rule(`shuffle_${N}_${N}_${N}`, (g) => shuffleBlockId(g.int(), g.long(), g.int())),
  rule(`shuffle_${N}_${N}_${N}_${N}`, (g) =>
    shuffleBlockBatchId(g.int(), g.long(), g.int(), g.int()),
  ),
  rule(`shuffle_${N}_${N}_${N}${DOT}data`, (g) => shuffleDataBlockId(g.int(), g.long(), g.int())),
  rule(`shuffle_${N}_${N}_${N}${DOT}index`, (g) => shuffleIndexBlockId(g.int(), g.long(), g.int())),
  rule(`shufflePush_${N}_${N}_${N}_${N}`, (g) =>
    shufflePushBlockId(g.int(), g.int(), g.int(), g.int()),
  ),
  rule(`shuffleMerged_${N}_${N}_${N}`, (g) => shuffleMergedBlockId(g.int(), g.int(), g.int())),
  rule(`shuffleMerged_${APP}_${N}_${N}_${N}${DOT}data`, (g) =>
    shuffleMergedDataBlockId(g.text(), g.int(), g.int(), g.int()),
  ),
  rule(`shuffleMerged_${APP}_${N}_${N}_${N}${DOT}index`, (g) =>
    shuffleMergedIndexBlockId(g.text(), g.int(), g.int(), g.int()),
  ),
  rule(`shuffleMerged_${APP}_${N}_${N}_${N}${DOT}meta`, (g) =>
    shuffleMergedMetaBlockId(g.text(), g.int(), g.int(), g.int()),
  ),
  rule(`shuffleChunk_${N}_${N}_${N}_${N}`, (g) =>
    shuffleBlockChunkId(g.int(), g.int(), g.int(), g.int()),
  ),
  rule(`broadcast_${N}([_A-Za-z0-9]*)`, (g) =>
    broadcastBlockId(g.long(), g.text().replace(/^_/, "")),
  ),
  rule(`taskresult_${N}`, (g) => taskResultBlockId(g.long())),
  rule(`input-${N}-${N}`, (g) => streamBlockId(g.int(), g.long())),
  rule(`python-stream-${N}-${N}`, (g) => pythonStreamBlockId(g.int(), g.long())),
  rule(`temp_local_${UUID}`, (g) => tempLocalBlockId(g.text())),
  rule(`temp_shuffle_${UUID}`, (g) => tempShuffleBlockId(g.text())),
  rule(`test_log_${N}_(${DOT}*)`, (g) => testLogBlockId(g.long(), g.text())),
  rule(`python_worker_log_${N}_([^_]*)_([^_]*)_([^_]*)`, (g) =>
    pythonWorkerLogBlockId(g.long(), g.text(), g.text(), g.text()),
  ),
  rule(`test_(${DOT}*)`, (g) => testBlockId(g.text())),
];

/**
 * The block that `name` names. The result's `name` is canonical and may differ: `rdd_007_1` names
 * `rdd_7_1`. Checksum files and session caches have names that never parse.
 *
 * @throws BlockError UNRECOGNIZED_BLOCK_ID, BLOCK_ID_NUMBER_INVALID or BLOCK_ID_UUID_INVALID.
 */
export function parseBlockId(name: string): BlockId {
  for (const [pattern, read] of GRAMMAR) {
    const match = pattern.exec(name);
    if (match !== null) return read(new Groups(match));
  }
  throw new BlockError("UNRECOGNIZED_BLOCK_ID", `Failed to parse ${name} into a block ID`);
}

/** The block that `name` names, or null where {@link parseBlockId} throws: for directory listings. */
export function tryParseBlockId(name: string): BlockId | null {
  try {
    return parseBlockId(name);
  } catch (error) {
    if (error instanceof BlockError) return null;
    throw error;
  }
}

/** Whole text; by code points, so that the wildcard takes a surrogate pair as one, as in Java. */
function rule(source: string, read: GroupReader): readonly [RegExp, GroupReader] {
  return [new RegExp(`^(?:${source})$`, "u"), read];
}

/** Hands out the groups of a match from left to right. */
class Groups {
  readonly #match: RegExpExecArray;
  #next = 1;

  constructor(match: RegExpExecArray) {
    this.#match = match;
  }

  text(): string {
    return this.#match[this.#next++] ?? "";
  }

  int(): number {
    return parseInt32(this.text());
  }

  long(): bigint {
    return parseInt64(this.text());
  }
}
