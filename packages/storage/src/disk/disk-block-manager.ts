/**
 * The local directories of one process and the names of the files in them.
 *
 *     <root>/blockmgr-<uuid>/<00..3f>/<file name>
 *
 * The rule that places a file is Spark's (@bm/block, localFilePath): a shuffle service or another
 * executor that knows the list of directories finds every file by its name alone.
 */
import { dirname, join } from "node:path";
import {
  type BlockId,
  localFilePath,
  type TempLocalBlockId,
  type TempShuffleBlockId,
  tempLocalBlockId,
  tempShuffleBlockId,
  tryParseBlockId,
} from "@bm/block";
import { type Logger, type Platform, silentLogger } from "@bm/transport";
import { StorageError } from "../storage-error.ts";

/** What {@link DiskBlockManager.create} takes. */
export interface DiskBlockManagerOptions {
  readonly platform: Pick<Platform, "files" | "random">;
  /** Directories to make ours in; those that cannot be used are left out with a warning. */
  readonly roots: readonly string[];
  /** `spark.diskStore.subDirectories`. Default: 64. */
  readonly subDirsPerLocalDir?: number | undefined;
  /** False leaves the files to a shuffle service. Default: true. */
  readonly deletesFilesOnClose?: boolean | undefined;
  readonly logger?: Logger | undefined;
}

const SUB_DIRS_DEFAULT = 64;
/** A directory to which something was still being added when it was deleted is deleted again. */
const DELETE_ATTEMPTS = 3;
/** Ends the name of a file that will be renamed to a block's, as Spark has it. */
const TEMP_NAME_END = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** See the file comment. */
export class DiskBlockManager {
  /** In the order that is part of the hash; fixed for the life of the process. */
  readonly localDirs: readonly string[];
  readonly subDirsPerLocalDir: number;
  readonly #options: DiskBlockManagerOptions;
  readonly #made = new Map<string, Promise<void>>();
  #closing: Promise<void> | null = null;

  private constructor(options: DiskBlockManagerOptions, localDirs: readonly string[]) {
    this.#options = options;
    this.localDirs = localDirs;
    this.subDirsPerLocalDir = options.subDirsPerLocalDir ?? SUB_DIRS_DEFAULT;
  }

  /** Makes a directory in every root. @throws StorageError NO_LOCAL_DIR when none can be made. */
  static async create(options: DiskBlockManagerOptions): Promise<DiskBlockManager> {
    const { files, random } = options.platform;
    const logger = options.logger ?? silentLogger;
    const localDirs: string[] = [];
    let lastError: unknown = null;
    for (const root of options.roots) {
      const directory = join(root, `blockmgr-${random.uuid()}`);
      try {
        await files.makeDirectory(directory);
        localDirs.push(directory);
      } catch (error) {
        lastError = error;
        logger.warn(`no blocks will be kept below ${root}: ${String(error)}`);
      }
    }
    if (localDirs.length === 0) {
      const text = `no directory for blocks can be made below ${options.roots.join(", ")}`;
      throw new StorageError("NO_LOCAL_DIR", text, { cause: lastError });
    }
    return new DiskBlockManager(options, localDirs);
  }

  /**
   * Where the file of that name is, or would be. Names come from peers, too, and must not lead out of
   * our directories. @throws StorageError FILE_NAME_INVALID.
   */
  pathOf(fileName: string): string {
    if (!isPlainName(fileName)) {
      throw new StorageError("FILE_NAME_INVALID", `${JSON.stringify(fileName)} is no file name`);
    }
    return localFilePath(this.localDirs, this.subDirsPerLocalDir, fileName).path;
  }

  /**
   * As `pathOf`; the directory exists afterwards.
   * @throws StorageError FILE_NAME_INVALID, CLOSED; TransportError FILE_FAILED (rejects).
   */
  async fileFor(fileName: string): Promise<string> {
    if (this.#closing !== null) throw new StorageError("CLOSED", "the directories are given up");
    const path = this.pathOf(fileName);
    const directory = dirname(path);
    let made = this.#made.get(directory);
    if (made === undefined) {
      made = this.#options.platform.files.makeDirectory(directory);
      this.#made.set(directory, made);
      made.catch(() => this.#made.delete(directory));
    }
    await made;
    return path;
  }

  /**
   * A path beside the file of that name, and so in the same file system, for what will be renamed to
   * it. @throws as `fileFor`.
   */
  async tempFileFor(fileName: string): Promise<string> {
    return `${await this.fileFor(fileName)}.${this.#options.platform.random.uuid()}`;
  }

  /** A name for data on its way to a block of its own, and its path. */
  async createTempLocalBlock(): Promise<{ id: TempLocalBlockId; path: string }> {
    const id = tempLocalBlockId(this.#options.platform.random.uuid());
    return { id, path: await this.fileFor(id.name) };
  }

  /** A name for a part of a map output, and its path. */
  async createTempShuffleBlock(): Promise<{ id: TempShuffleBlockId; path: string }> {
    const id = tempShuffleBlockId(this.#options.platform.random.uuid());
    return { id, path: await this.fileFor(id.name) };
  }

  /** Names of all files in our directories, those of shuffles included. */
  async listFiles(): Promise<string[]> {
    const { files } = this.#options.platform;
    const subDirs = await Promise.all(
      this.localDirs.map(async (dir) => (await files.list(dir)).map((name) => join(dir, name))),
    );
    return (await Promise.all(subDirs.flat().map((dir) => files.list(dir)))).flat();
  }

  /** The blocks among the files; other names, and files that are not complete, are left out. */
  async listBlockIds(): Promise<BlockId[]> {
    const names = (await this.listFiles()).filter((name) => !TEMP_NAME_END.test(name));
    return names.map(tryParseBlockId).filter((id) => id !== null);
  }

  /** Deletes the directories unless a shuffle service needs them. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    // What is being made must not come after the deletion.
    await Promise.allSettled(this.#made.values());
    if (this.#options.deletesFilesOnClose === false) return;
    await Promise.all(this.localDirs.map((directory) => this.#delete(directory)));
  }

  async #delete(directory: string): Promise<void> {
    const logger = this.#options.logger ?? silentLogger;
    for (let attempt = 1; attempt <= DELETE_ATTEMPTS; attempt += 1) {
      try {
        await this.#options.platform.files.remove(directory);
        return;
      } catch (error) {
        if (attempt === DELETE_ATTEMPTS) logger.warn(`deleting ${directory}: ${String(error)}`);
      }
    }
  }
}

function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name);
}
