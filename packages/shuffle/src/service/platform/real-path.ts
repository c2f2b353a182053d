import { realpath } from "node:fs/promises";

/**
 * A path with its symbolic links resolved. Resolves to null when nothing is there; rejects when it
 * cannot be known.
 */
export type RealPath = (path: string) => Promise<string | null>;

/** On the machine's disks. */
export const nodeRealPath: RealPath = async (path) => {
  try {
    return await realpath(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
};
