/**
 * Reading from sockets into memory of our own.
 *
 * Node's "data" events allocate 64 KiB for every read. Here all sockets of a thread read into one
 * buffer, because whoever gets bytes is done with them, or has copied them, before the next read.
 * And an owner who knows where a large body belongs has it read there directly, without a copy.
 * Measured over loopback with bodies of 16 MiB: a third of the CPU time of "data" events.
 */
import net from "node:net";

/** Large enough that bulk data takes few system calls, small enough to stay in the cache. */
const READ_BUFFER_BYTES = 256 * 1024;

/** One for all sockets of a thread. */
let sharedBuffer: Buffer | null = null;

/** What a reader feeds: its owner, once there is one. */
export interface ReadOwner {
  /** Where the next bytes belong; null for the shared buffer. */
  readTarget(): Uint8Array | null;
  /** Borrowed. */
  onBytes(bytes: Uint8Array): void;
}

/** Where one socket reads to. */
export class SocketReader {
  owner: ReadOwner | null = null;

  /** The option for the socket, which keeps its functions. */
  get onread(): net.OnReadOpts {
    return {
      buffer: () => this.#nextBuffer(),
      callback: (count, buffer) => {
        this.owner?.onBytes(buffer.subarray(0, count));
        return true;
      },
    };
  }

  #nextBuffer(): Uint8Array {
    const target = this.owner?.readTarget() ?? null;
    if (target !== null) return target;
    sharedBuffer ??= Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    return sharedBuffer;
  }
}

/**
 * A socket that reads through `reader` in place of an accepted one, which is of no use afterwards.
 * Node takes `onread` only when a socket is made, so the accepted connection moves to a new one by
 * its private handle. Null where that is not possible; then "data" events must do.
 */
export function moveToReader(accepted: net.Socket, reader: SocketReader): net.Socket | null {
  const handle: unknown = Reflect.get(accepted, "_handle");
  if (typeof handle !== "object" || handle === null) return null;
  Reflect.set(accepted, "_handle", null);
  // Nothing is read, and so nothing lost, before there is somebody to take it.
  const options = { handle, onread: reader.onread, allowHalfOpen: true, pauseOnCreate: true };
  return new net.Socket(options);
}
