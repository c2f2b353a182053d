import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";

/** A file that is being written and knows the SHA-256 of what was written. */
export class HashedFile {
  readonly path: string;
  readonly #file;
  readonly #hash = createHash("sha256");

  constructor(path: string) {
    this.path = path;
    this.#file = createWriteStream(path);
    // Whatever goes wrong is found again by `write` or `finish`.
    this.#file.on("error", () => {});
  }

  /** Takes a copy. The promise is there when more should wait until the disk has taken some. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#file.errored) throw this.#file.errored;
    this.#hash.update(bytes);
    if (this.#file.write(Buffer.from(bytes))) return undefined;
    return once(this.#file, "drain").then(() => {});
  }

  /** Gives the hash, in hexadecimal, when everything is in the file. */
  async finish(): Promise<string> {
    this.#file.end();
    if (!this.#file.closed) await once(this.#file, "close");
    if (this.#file.errored) throw this.#file.errored;
    return this.#hash.digest("hex");
  }

  async discard(): Promise<void> {
    this.#file.destroy();
    await rm(this.path, { force: true });
  }
}
