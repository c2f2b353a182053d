/**
 * Small segments of files that are read through the thread pool while they wait to be sent.
 *
 * Neighbours are read together: a trip to the pool and back costs more than the bytes of a small block.
 * With chunks of 64 KiB, eight to a read, that takes the CPU time of a server from 116 us each to 70, and
 * with a storm of smaller ones from 136 to 36.
 */
import { type FileSegment, isFollowedBy, NO_CONTENT, readSegment } from "../buffer/file-segment.ts";
import type { LentMemory, SlabMemory } from "../buffer/slab-memory.ts";

import { invariant } from "../invariant.ts";

/** As long as the buffers of the pool. */
const RUN_BYTES_MAX = 512 * 1024;
/** On their way or waiting to be sent, so that pool and disk always have something to do. */
const RUNS_MAX = 16;
const BYTES_MAX = 4 * 1024 * 1024;

/** A segment that is read. */
export class SegmentRead implements LentMemory {
  readonly #run: Run;
  readonly #start: number;
  readonly #end: number;

  constructor(run: Run, start: number, length: number) {
    this.#run = run;
    this.#start = start;
    this.#end = start + length;
  }

  /** "missing" when the read failed, or the file has not all the bytes: to open the body then tells. */
  get state(): "reading" | "there" | "missing" {
    if (!this.#run.isOver) return "reading";
    return this.#run.bytes === null ? "missing" : "there";
  }

  /** When they are there. */
  get bytes(): Uint8Array {
    invariant(this.#run.bytes !== null, "the bytes of a segment were read");
    return this.#run.bytes.subarray(this.#start, this.#end);
  }

  /** Call once, when nobody looks at the bytes any more. */
  giveBack(): void {
    this.#run.giveBack();
  }
}

/** See the file comment. */
export class SegmentReads {
  readonly #memory: SlabMemory;
  readonly #onRead: () => void;
  /** The last one, which may still get neighbours. */
  #gathering: Run | null = null;
  #runs = 0;
  #bytes = 0;
  /** The last one that ended had nothing to wait for. */
  #isWarm = false;

  /** `onRead` is called each time that some are over. */
  constructor(memory: SlabMemory, onRead: () => void) {
    this.#memory = memory;
    this.#onRead = onRead;
  }

  /**
   * True while something is read, or waits to be sent, and the disk is what it waits for: with the bytes in
   * memory, to read at once costs a third of reading ahead.
   */
  get isActive(): boolean {
    return this.#runs > 0 && !this.#isWarm;
  }

  /** Adds a segment, together with the one before where it can be. Nothing is read before `start`. */
  tryAdd(segment: FileSegment): SegmentRead | null {
    const last = this.#gathering;
    if (last?.canTake(segment)) {
      this.#bytes += segment.length;
      return last.take(segment);
    }
    if (this.#runs >= RUNS_MAX || this.#bytes >= BYTES_MAX) return null;
    this.start();
    this.#runs += 1;
    this.#bytes += segment.length;
    this.#gathering = new Run(segment, (bytes) => {
      this.#runs -= 1;
      this.#bytes -= bytes;
    });
    return this.#gathering.take(segment);
  }

  /** Reads what was added. */
  start(): void {
    const run = this.#gathering;
    this.#gathering = null;
    if (run === null) return;
    void run.read(this.#memory).then((wasInMemory) => {
      this.#isWarm = wasInMemory;
      this.#onRead();
    });
  }
}

/** Neighbours that are read together. */
class Run {
  readonly #first: FileSegment;
  readonly #onDone: (bytes: number) => void;
  #last: FileSegment | null = null;
  #length = 0;
  #heldCount = 0;
  #memory: LentMemory | null = null;
  isOver = false;

  constructor(first: FileSegment, onDone: (bytes: number) => void) {
    this.#first = first;
    this.#onDone = onDone;
  }

  get bytes(): Uint8Array | null {
    return this.#memory?.bytes ?? null;
  }

  canTake(segment: FileSegment): boolean {
    if (this.#last === null) return true;
    return this.#length + segment.length <= RUN_BYTES_MAX && isFollowedBy(this.#last, segment);
  }

  take(segment: FileSegment): SegmentRead {
    const start = this.#length;
    this.#last = segment;
    this.#length += segment.length;
    this.#heldCount += 1;
    return new SegmentRead(this, start, segment.length);
  }

  /** Never rejects. True when nothing had to be waited for. */
  async read(memory: SlabMemory): Promise<boolean> {
    const takeTarget = (): Uint8Array => {
      this.#memory = memory.take(this.#length);
      return this.#memory.bytes;
    };
    const reading = readSegment(this.#first, takeTarget).catch(() => NO_CONTENT);
    const { count, wasInMemory } = await reading;
    this.isOver = true;
    if (count !== this.#length || this.#heldCount === 0) this.#giveMemoryBack();
    return wasInMemory;
  }

  giveBack(): void {
    this.#heldCount -= 1;
    if (this.#heldCount > 0) return;
    // The disk may still be writing into it.
    if (this.isOver) this.#giveMemoryBack();
    this.#onDone(this.#length);
  }

  #giveMemoryBack(): void {
    this.#memory?.giveBack();
    this.#memory = null;
  }
}
