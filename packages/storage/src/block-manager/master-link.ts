/**
 * What a block manager and its master tell each other: registration, reports, signs of life. When the
 * master has forgotten us we register again and report everything.
 */
import type { BlockId, BlockManagerId, BlockStatus } from "@bm/block";
import type { BlockManagerMaster, BlockManagerRegistration } from "@bm/master";
import type { Clock, Logger, Timer } from "@bm/transport";

/** What {@link MasterLink} takes. */
export interface MasterLinkOptions {
  readonly master: BlockManagerMaster;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registration: Omit<BlockManagerRegistration, "isReRegister">;
  /** Pause between two signs of life; 0 for none. */
  readonly heartbeatIntervalMs: number;
  /** Every block that the master is to know of, after a registration that was lost. */
  readonly blocks: () => Promise<readonly { id: BlockId; status: BlockStatus }[]>;
  /** The master refuses us for good: the executor counts as dead. */
  readonly onRefused: (error: Error) => void;
}

/** Blocks in one message of a whole report; a few tens of bytes each. */
const BLOCKS_PER_REPORT = 1000;

/** See the file comment. */
export class MasterLink {
  readonly #options: MasterLinkOptions;
  #id: BlockManagerId;
  #timer: Timer | null = null;
  #registering: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: MasterLinkOptions) {
    this.#options = options;
    this.#id = options.registration.blockManagerId;
  }

  /** With topology once registered. */
  get id(): BlockManagerId {
    return this.#id;
  }

  /** Registers for the first time. @throws MasterError; RpcError (rejects). */
  async register(): Promise<void> {
    const { master, registration } = this.#options;
    this.#id = await master.registerBlockManager({ ...registration, isReRegister: false });
    this.#scheduleHeartbeat();
  }

  /** Tells what there is of a block now. Never rejects: the next report or heartbeat mends it. */
  async report(id: BlockId, status: BlockStatus): Promise<void> {
    // What a whole report says now must not come after what this one says.
    await this.#registering?.catch(() => {});
    if (this.#isClosed) return;
    try {
      if (!(await this.#update(id, status))) await this.reregister();
    } catch (error) {
      this.#options.logger.warn(`reporting ${id.name}: ${String(error)}`);
    }
  }

  /** Registers again and reports every block; whoever asks meanwhile waits for the same one. */
  reregister(): Promise<void> {
    this.#registering ??= this.#reregister().finally(() => {
      this.#registering = null;
    });
    return this.#registering;
  }

  /** No more signs of life. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #reregister(): Promise<void> {
    const { master, registration, logger, blocks, onRefused } = this.#options;
    logger.info(`registering ${this.#id.toString()} again`);
    try {
      this.#id = await master.registerBlockManager({ ...registration, isReRegister: true });
    } catch (error) {
      if (isRefusal(error)) {
        this.close();
        onRefused(error);
      }
      throw error;
    }
    await this.#reportAll(await blocks());
  }

  async #reportAll(all: readonly { id: BlockId; status: BlockStatus }[]): Promise<void> {
    const entries = all.map(({ id: blockId, status }) => ({ blockId, status }));
    for (let start = 0; ; start += BLOCKS_PER_REPORT) {
      const blocks = entries.slice(start, start + BLOCKS_PER_REPORT);
      const isLastOfAll = start + blocks.length === entries.length;
      const report = { blockManagerId: this.#id, blocks, isLastOfAll };
      if (!(await this.#options.master.reportBlocks(report)) || isLastOfAll) return;
    }
  }

  #update(blockId: BlockId, status: BlockStatus): Promise<boolean> {
    const { storageLevel, memSize, diskSize } = status;
    const blockManagerId = this.#id;
    const update = { blockManagerId, blockId, storageLevel, memSize, diskSize };
    return this.#options.master.updateBlockInfo(update);
  }

  #scheduleHeartbeat(): void {
    const { clock, heartbeatIntervalMs } = this.#options;
    if (heartbeatIntervalMs === 0 || this.#isClosed) return;
    this.#timer = clock.setTimer(heartbeatIntervalMs, () => void this.#heartbeat(), {
      unref: true,
    });
  }

  /** Never rejects. */
  async #heartbeat(): Promise<void> {
    const { master, heartbeatIntervalMs, logger } = this.#options;
    try {
      const isKnown = await master.heartbeat(this.#id, { timeoutMs: heartbeatIntervalMs });
      if (!isKnown && !this.#isClosed) await this.reregister();
    } catch (error) {
      if (!this.#isClosed) logger.warn(`heartbeat: ${String(error)}`);
    }
    this.#scheduleHeartbeat();
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "REGISTRATION_REFUSED";
}
