/** A disk of its own for a directory, small enough to be filled: one in memory, as only root may have. */
import { execFile } from "node:child_process";
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const MOUNT = "mount";
const UNMOUNT = "umount";

/** See the file comment. Made by `mount`. */
export class SmallDisk {
  readonly #directory: string;
  readonly #filler: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#filler = join(directory, "filler");
  }

  /** Puts a disk of `megabytes` over an empty directory; null where that is not allowed. */
  static async mount(directory: string, megabytes: number): Promise<SmallDisk | null> {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return null;
    try {
      await run(MOUNT, ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory]);
      return new SmallDisk(directory);
    } catch {
      return null;
    }
  }

  /** Takes every block that is free. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    const whole = Buffer.alloc(bavail * bsize);
    // Others may have taken some meanwhile: then it is full as well.
    await writeFile(this.#filler, whole).catch(() => {});
  }

  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  /** Takes the disk away, whoever still has files of it open. */
  async unmount(): Promise<void> {
    await run(UNMOUNT, ["-l", this.#directory]);
  }
}
