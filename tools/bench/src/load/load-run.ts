/**
 * Keeps the windows of some connections full until time or count is up.
 *
 * Everything per request is made beforehand: a slot with its callbacks for each place in a window.
 * What an answer costs here is a clock reading, a look at 17 of its bytes and some counting.
 */
import { chunkOffset, FILE_REGION_BYTES, MEMORY_REGION_BYTES } from "@bm/interop";
import { chunkBytesAt, type Workload } from "../suites/workload.ts";
import { Latencies } from "./latencies.ts";
import type { Answers, Link } from "./link.ts";
import { checkAll, checkSamples } from "./region-check.ts";

/** Comparing 16 MiB byte by byte takes 20 ms; a few of those are enough to know. */
const CHECKED_WHOLE = 4;

/** See the file comment. Runs once. */
export class LoadRun {
  readonly workload: Workload;
  readonly latencies: Latencies = new Latencies();
  readonly #lanes: readonly Lane[];
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #regionBytes: number;
  #lanesAtWork = 0;
  #startedMs = 0;
  #wholeChecks: number;
  operations = 0;
  bytes = 0;
  seconds = 0;

  constructor(links: readonly Link[], workload: Workload) {
    this.workload = workload;
    this.#regionBytes = workload.region === "file" ? FILE_REGION_BYTES : MEMORY_REGION_BYTES;
    this.#wholeChecks = workload.isWarmUp ? CHECKED_WHOLE : 0;
    this.#lanes = links.map((link) => new Lane(this, link));
  }

  /** Rejects with the first failure, also when a byte was not the right one. */
  async run(): Promise<void> {
    this.#lanesAtWork = this.#lanes.length;
    this.#startedMs = performance.now();
    for (const lane of this.#lanes) lane.start();
    await this.#end.promise;
    this.seconds = (performance.now() - this.#startedMs) / 1000;
  }

  get isChunkLoad(): boolean {
    return this.workload.chunkBytes.length > 0;
  }

  /** Counts the answer to request `index` and says whether more are to be made. */
  take(index: number, bytes: Uint8Array | null, startedMs: number): boolean {
    const nowMs = performance.now();
    this.latencies.add(nowMs - startedMs);
    const { workload } = this;
    const length = this.isChunkLoad ? chunkBytesAt(workload, index) : workload.replyBytes;
    if (bytes !== null) this.#check(bytes, index, length);
    this.operations += 1;
    this.bytes += this.isChunkLoad ? length : workload.requestBytes + length;
    if (this.operations >= workload.operationsMax) return false;
    const isTimeUp = nowMs - this.#startedMs >= workload.seconds * 1000;
    return !isTimeUp || this.operations < workload.operationsMin;
  }

  laneEnded(): void {
    this.#lanesAtWork -= 1;
    if (this.#lanesAtWork === 0) this.#end.resolve();
  }

  fail(error: Error): void {
    this.#end.reject(error);
  }

  #check(bytes: Uint8Array, index: number, length: number): void {
    const offset = this.isChunkLoad ? chunkOffset(this.#regionBytes, length, index) : 0;
    if (this.#wholeChecks > 0) {
      this.#wholeChecks -= 1;
      checkAll(bytes, offset, length);
    } else checkSamples(bytes, offset, length);
  }
}

/** One connection and its window. */
class Lane {
  readonly run: LoadRun;
  readonly #slots: readonly Slot[];
  readonly #isBurst: boolean;
  #nextIndex = 0;
  #inFlight = 0;
  #goesOn = true;

  constructor(run: LoadRun, link: Link) {
    this.run = run;
    this.#isBurst = run.workload.pacing === "burst";
    this.#slots = Array.from({ length: run.workload.window }, () => new Slot(this, link));
  }

  start(): void {
    this.#inFlight = this.#slots.length;
    for (const slot of this.#slots) slot.send(this.#takeIndex());
  }

  answered(slot: Slot, bytes: Uint8Array | null): void {
    this.#goesOn = this.run.take(slot.index, bytes, slot.startedMs) && this.#goesOn;
    if (this.#goesOn && !this.#isBurst) {
      slot.send(this.#takeIndex());
      return;
    }
    this.#inFlight -= 1;
    if (this.#inFlight > 0) return;
    if (this.#goesOn) this.start();
    else this.run.laneEnded();
  }

  #takeIndex(): number {
    this.#nextIndex += 1;
    return this.#nextIndex - 1;
  }
}

/** One place in a window. */
class Slot implements Answers {
  readonly #lane: Lane;
  readonly #sendRequest: (index: number) => void;
  index = 0;
  startedMs = 0;

  constructor(lane: Lane, link: Link) {
    this.#lane = lane;
    this.#sendRequest = link.createSender(this);
  }

  send(index: number): void {
    this.index = index;
    this.startedMs = performance.now();
    this.#sendRequest(index);
  }

  answered(bytes: Uint8Array | null): void {
    try {
      this.#lane.answered(this, bytes);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  failed(error: Error): void {
    this.#lane.run.fail(error);
  }
}
