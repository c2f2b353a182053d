/**
 * What writers put beside their map outputs: one checksum for each partition, 8 bytes each.
 *
 * Whether a file may be read is worked out once; as long as that very file is there, it is read again in
 * the turn in which it is asked for.
 */
import { type FileStat, type Files, isSameFile } from "@bm/transport";
import { INT64_BYTES } from "../files/int64-column.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";

/** Options of {@link StoredChecksums}. */
export interface StoredChecksumsOptions {
  readonly files: Files;
  readonly guard: LocalDirsGuard;
}

/** When more are known, all are worked out again. About 300 B each. */
const CHECKED_MAX = 4096;

interface Checked {
  readonly localDirs: readonly string[];
  readonly stat: FileStat;
}

/** See the file comment. */
export class StoredChecksums {
  readonly #options: StoredChecksumsOptions;
  readonly #checked = new Map<string, Checked>();

  constructor(options: StoredChecksumsOptions) {
    this.#options = options;
  }

  /**
   * The checksum of a partition, or null when there is none.
   * @throws ShuffleError BLOCK_NOT_FOUND for a file outside of `localDirs`; TransportError FILE_FAILED
   *   (rejects).
   */
  async read(path: string, reduceId: number, localDirs: readonly string[]): Promise<bigint | null> {
    const { files, guard } = this.#options;
    const now = this.readNow(path, reduceId, localDirs);
    if (now !== null) return now;
    const stat = await files.stat(path);
    if (stat?.isFile !== true || stat.bytes < (reduceId + 1) * INT64_BYTES) return null;
    await guard.checkRead(path, localDirs);
    const file = await files.open(path, "read");
    try {
      // It may have been replaced since it was checked.
      if (!isSameFile(await file.stat(), stat)) return null;
      this.#remember(path, { localDirs, stat });
      const value = Buffer.alloc(INT64_BYTES);
      const position = reduceId * INT64_BYTES;
      // The directory of the file becomes known as one that can be read from without waiting.
      if (file.readNow(value, position) === INT64_BYTES) return value.readBigInt64BE();
      const count = await file.read(value, position);
      return count === INT64_BYTES ? value.readBigInt64BE() : null;
    } finally {
      await file.close();
    }
  }

  /** The checksum of a partition, or null when it cannot be told in this turn. */
  readNow(path: string, reduceId: number, localDirs: readonly string[]): bigint | null {
    const checked = this.#checked.get(path);
    if (checked === undefined || checked.localDirs !== localDirs) return null;
    const value = Buffer.allocUnsafe(INT64_BYTES);
    const position = reduceId * INT64_BYTES;
    const count = this.#options.files.readNow(path, value, position, checked.stat);
    return count === INT64_BYTES ? value.readBigInt64BE() : null;
  }

  #remember(path: string, checked: Checked): void {
    if (this.#checked.size >= CHECKED_MAX) this.#checked.clear();
    this.#checked.set(path, checked);
  }
}
