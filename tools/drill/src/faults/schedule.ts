/** What happens in one drill. A seed decides all of it, so a seed is all it takes to repeat one. */
import { type ShuffleBlockId, shuffleBlockId } from "@bm/block";
import type { Random } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";
import { FAULT_KINDS, type Fault } from "./fault.ts";

/** Retries that a reader has for each cause. */
export const RETRIES = 2;

/** What happens to the server's process. */
export type ProcessAct = "kill" | "restart" | "pause";

/** See the file comment. */
export interface Schedule {
  readonly seed: number;
  readonly kind: Fault["kind"] | ProcessAct;
  readonly blocks: readonly ShuffleBlockId[];
  /** `blocks`: one call of the transfer service. `reading`: an iterator that knows the checksums. */
  readonly way: "blocks" | "reading";
  readonly isIntoFiles: boolean;
  /** A reading takes its blocks some time after they arrived. */
  readonly isSlow: boolean;
  /** For one connection after the other; none when the process is what suffers. */
  readonly faults: readonly Fault[];
  /** When the reader gives up; null when it does not. */
  readonly abortAfterMs: number | null;
  /** When the process suffers, and for how long when it is paused. */
  readonly actAfterMs: number;
  readonly pauseMs: number;
}

/** Of so many schedules one is about the process instead of the connection. */
const PROCESS_EVERY = 8;
const ABORT_EVERY = 10;
const ACTS: readonly ProcessAct[] = ["kill", "restart", "pause"];
const SIZES = [1, 100, 5000, 65_536, 300_000, 900_000];
const BLOCKS_MAX = 8;
/** A fault may come behind the last byte: then nothing happens. */
const BEYOND_BYTES = 200;

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = createSeededRandom(seed);
  const blocks = someBlocks(random);
  const isProcess = random.below(PROCESS_EVERY) === 0;
  const kind = isProcess ? pick(ACTS, random) : pick(FAULT_KINDS, random);
  // A flipped bit is only found by who knows what the bytes should be.
  const way = kind === "flip" || random.below(2) === 0 ? "reading" : "blocks";
  const isAborted = !isProcess && random.below(ABORT_EVERY) === 0;
  return {
    seed,
    kind,
    blocks,
    way,
    isIntoFiles: random.below(3) === 0,
    isSlow: random.below(2) === 0,
    faults: isProcess ? [] : someFaults(kind as Fault["kind"], blocks, random),
    abortAfterMs: isAborted ? random.below(20) : null,
    actAfterMs: random.below(15),
    pauseMs: random.below(300),
  };
}

function someBlocks(random: Random): ShuffleBlockId[] {
  return Array.from({ length: 1 + random.below(BLOCKS_MAX) }, (_, map) =>
    shuffleBlockId(0, BigInt(map), 1 + random.below(pick(SIZES, random))),
  );
}

/** As many as the retries can bear, or more. */
function someFaults(kind: Fault["kind"], blocks: readonly ShuffleBlockId[], random: Random) {
  const bytes = blocks.reduce((sum, { reduceId }) => sum + reduceId, BEYOND_BYTES);
  // Each silence takes as long as the time-out.
  const count = kind === "silence" ? 1 : 1 + random.below(RETRIES + 2);
  return Array.from({ length: count }, () => ({
    kind,
    atByte: random.below(bytes),
    ms: 1 + random.below(100),
    bit: random.below(8),
    every: 1 + random.below(2 * bytes),
  }));
}

function pick<Element>(elements: readonly Element[], random: Random): Element {
  return elements[random.below(elements.length)] as Element;
}
