import type { Channel } from "@bm/transport";

const HIGH_MARK_BYTES = 4 * 1024 * 1024;
const LOW_MARK_BYTES = 1024 * 1024;

/**
 * Counts bytes that came from the network and were not yet taken by the disk. Above the high mark the
 * connections that bring more are not read until the disk has caught up.
 */
export class DiskBacklog {
  readonly #paused = new Set<Channel>();
  #bytes = 0;

  /** Bytes that wait for the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `channel` brought bytes. */
  add(bytes: number, channel: Channel): void {
    this.#bytes += bytes;
    if (this.#bytes <= HIGH_MARK_BYTES || this.#paused.has(channel)) return;
    this.#paused.add(channel);
    channel.pauseReading();
  }

  /** Bytes were written, or are not wanted any more. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes > LOW_MARK_BYTES) return;
    for (const channel of this.#paused) channel.resumeReading();
    this.#paused.clear();
  }
}
