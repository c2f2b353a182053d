/**
 * Contents as files of one directory. They are of any size, so they travel as streams of the transport,
 * and neither side ever holds more than a few pieces.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import {
  FileSegmentManagedBuffer,
  type ManagedBuffer,
  nodePlatform,
  RpcHandler,
  type StreamCallbackWithId,
  StreamManager,
} from "@bm/transport";
import { HashedFile } from "./hashed-file.ts";

/** Nothing else is ever looked for in the directory. */
export function isKey(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Takes contents in. */
export class Contents extends RpcHandler {
  readonly streamManager: StreamManager;
  readonly #directory: string;
  readonly #onArrived: (key: string) => Promise<void>;
  #uploads = 0;

  constructor(directory: string, onArrived: (key: string) => Promise<void>) {
    super();
    this.#directory = directory;
    this.#onArrived = onArrived;
    this.streamManager = new ContentStreams(directory);
  }

  override receive(): void {
    throw new Error("messages go to the endpoint");
  }

  /** The file gets its name when it is whole. The answer is the key. */
  override receiveStream(): StreamCallbackWithId {
    this.#uploads += 1;
    const file = new HashedFile(join(this.#directory, `.${process.pid}-${this.#uploads}.part`));
    let key = "";
    return {
      id: file.path,
      // The sender waits for the disk.
      onData: (_id, bytes) => file.write(bytes),
      onComplete: async () => {
        key = await file.finish();
        await rename(file.path, join(this.#directory, key));
        await this.#onArrived(key);
      },
      onFailure: () => void file.discard(),
      completionResponse: () => Buffer.from(key),
    };
  }
}

/** Gives contents out. */
class ContentStreams extends StreamManager {
  readonly #directory: string;

  constructor(directory: string) {
    super();
    this.#directory = directory;
  }

  override getChunk(): null {
    return null;
  }

  override async openStream(key: string): Promise<ManagedBuffer | null> {
    const { files } = nodePlatform();
    const path = join(this.#directory, key);
    const found = isKey(key) ? await files.stat(path) : null;
    return found && new FileSegmentManagedBuffer({ files, path, offset: 0, length: found.bytes });
  }
}
