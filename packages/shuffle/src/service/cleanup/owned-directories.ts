/**
 * Which directories somebody owns. A directory is owned when it is one that an owner names, lies in
 * one or around one, or holds the merged files of an owner beside it.
 */
import { basename, dirname, resolve, sep } from "node:path";
import type { DirectoryTree } from "../platform/directory-tree.ts";

/** See the file comment. Made anew for each cleaning by `read`. */
export class OwnedDirectories {
  /** What owners name. */
  readonly #named = new Set<string>();
  /** Everything above that. */
  readonly #around = new Set<string>();
  /** Where an owner's directory stands; its merged files are its neighbours. */
  readonly #parents = new Set<string>();

  private constructor() {}

  /**
   * Takes what owners name, as they wrote it and with links resolved.
   * @throws what the disk refuses to tell: without it nothing may be deleted (rejects).
   */
  static async read(
    directories: Iterable<string> | AsyncIterable<string>,
    tree: DirectoryTree,
  ): Promise<OwnedDirectories> {
    const owned = new OwnedDirectories();
    for await (const directory of directories) {
      const plain = resolve(directory);
      owned.#add(plain);
      const real = await tree.realPath(plain);
      if (real !== null && real !== plain) owned.#add(real);
    }
    return owned;
  }

  /** @param path with links resolved. */
  has(path: string): boolean {
    if (this.#around.has(path)) return true;
    if (basename(path).startsWith("merge_manager") && this.#parents.has(dirname(path))) return true;
    for (let above = path; ; above = dirname(above)) {
      if (this.#named.has(above)) return true;
      if (above === dirname(above)) return false;
    }
  }

  #add(path: string): void {
    this.#named.add(path);
    this.#parents.add(dirname(path));
    for (let above = dirname(path); above !== sep && !this.#around.has(above); ) {
      this.#around.add(above);
      above = dirname(above);
    }
  }
}
