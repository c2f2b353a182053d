/**
 * Who holds blocks: one block manager of one executor, or a shuffle service that answers for it.
 *
 *     +------------+--------+-------------+---------------+------------+
 *     | executorId |  host  | port: int32 | hasTopology:1 | [topology] |    big-endian
 *     +------------+--------+-------------+---------------+------------+
 *
 * Texts are in the form of Java's `writeUTF` (java/java-utf.ts).
 */
import { BlockError } from "../block-error.ts";
import { javaUtfLength, readJavaUtf, writeJavaUtf } from "../java/java-utf.ts";

/** Executor id of the driver's own block manager. */
export const DRIVER_EXECUTOR_ID = "driver";
/** Executor id of a shuffle service that merges pushed blocks. */
export const SHUFFLE_MERGER_EXECUTOR_ID = "shuffle-push-merger";
/** Executor id in the master's answer when it refuses a registration. */
export const INVALID_EXECUTOR_ID = "invalid";
/** Executor id of the fallback storage, which has the host `remote` and port 7337. */
export const FALLBACK_EXECUTOR_ID = "fallback";

const PORT_BYTES = 4;
const FLAG_BYTES = 1;
const INT_MAX = 2 ** 31 - 1;

/**
 * Identity of a block manager. All four fields count: an executor with and without topology are two
 * identities, so the one that the master returned at registration is the one to use afterwards.
 */
export class BlockManagerId {
  readonly executorId: string;
  readonly host: string;
  readonly port: number;
  /** Rack or zone of the host; null when unknown. */
  readonly topologyInfo: string | null;
  #key: string | undefined;

  private constructor(executorId: string, host: string, port: number, topologyInfo: string | null) {
    this.executorId = executorId;
    this.host = host;
    this.port = port;
    this.topologyInfo = topologyInfo;
  }

  /** @throws BlockError BLOCK_MANAGER_ID_INVALID - a host with a port in it, or a port below 1. */
  static of(
    executorId: string,
    host: string,
    port: number,
    topologyInfo: string | null = null,
  ): BlockManagerId {
    checkHost(host);
    if (!Number.isInteger(port) || port <= 0 || port > INT_MAX) {
      throw new BlockError("BLOCK_MANAGER_ID_INVALID", `port ${port}`);
    }
    return new BlockManagerId(executorId, host, port, topologyInfo);
  }

  /** @throws BlockError BYTES_MALFORMED - cut short, malformed text, or bytes left over. */
  static fromBytes(bytes: Uint8Array): BlockManagerId {
    const { id, end } = BlockManagerId.read(bytes, 0);
    if (end !== bytes.length) {
      const detail = `${bytes.length - end} bytes behind a block manager id`;
      throw new BlockError("BYTES_MALFORMED", detail);
    }
    return id;
  }

  /**
   * Reads the identity that starts at `offset`, for messages that hold more than it. Like a JVM peer
   * it does not judge host and port.
   *
   * @returns the identity and the offset behind it.
   * @throws BlockError BYTES_MALFORMED - cut short or malformed text.
   */
  static read(bytes: Uint8Array, offset: number): { id: BlockManagerId; end: number } {
    const executorId = readJavaUtf(bytes, offset);
    const host = readJavaUtf(bytes, executorId.end);
    const portEnd = host.end + PORT_BYTES;
    const hasTopology = bytes[portEnd];
    if (hasTopology === undefined) {
      throw new BlockError("BYTES_MALFORMED", `block manager id is cut short at ${bytes.length}`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const port = view.getInt32(host.end);
    const flagEnd = portEnd + FLAG_BYTES;
    const topology = hasTopology === 0 ? { text: null, end: flagEnd } : readJavaUtf(bytes, flagEnd);
    const id = new BlockManagerId(executorId.text, host.text, port, topology.text);
    return { id, end: topology.end };
  }

  /** Whether this is the driver's own block manager. */
  get isDriver(): boolean {
    return this.executorId === DRIVER_EXECUTOR_ID;
  }

  /** `host:port`, where the manager is reached. */
  get hostPort(): string {
    return `${this.host}:${this.port}`;
  }

  /** Equal for equal identities and for no others: the key to use in a `Map` or `Set`. */
  get key(): string {
    this.#key ??= JSON.stringify([this.executorId, this.host, this.port, this.topologyInfo]);
    return this.#key;
  }

  equals(other: BlockManagerId): boolean {
    return (
      this.executorId === other.executorId &&
      this.host === other.host &&
      this.port === other.port &&
      this.topologyInfo === other.topologyInfo
    );
  }

  /** The byte form in a new array. @throws BlockError TEXT_TOO_LONG */
  toBytes(): Uint8Array {
    const { executorId, host, topologyInfo } = this;
    const topologyBytes = topologyInfo === null ? 0 : javaUtfLength(topologyInfo);
    const textBytes = javaUtfLength(executorId) + javaUtfLength(host) + topologyBytes;
    const bytes = new Uint8Array(textBytes + PORT_BYTES + FLAG_BYTES);

    const hostEnd = writeJavaUtf(bytes, writeJavaUtf(bytes, 0, executorId), host);
    new DataView(bytes.buffer).setInt32(hostEnd, this.port);
    if (topologyInfo !== null) {
      bytes[hostEnd + PORT_BYTES] = 1;
      writeJavaUtf(bytes, hostEnd + PORT_BYTES + FLAG_BYTES, topologyInfo);
    }
    return bytes;
  }

  /** As Spark prints it: `BlockManagerId(1, host-a, 7001, None)`. */
  toString(): string {
    const topology = this.topologyInfo === null ? "None" : `Some(${this.topologyInfo})`;
    return `BlockManagerId(${this.executorId}, ${this.host}, ${this.port}, ${topology})`;
  }
}

/** Spark's rule: a colon is allowed only in a bracketed address with at least two of them. */
function checkHost(host: string): void {
  if (javaSplitLength(host) > 2) {
    if (host.startsWith("[") && host.endsWith("]")) return;
    const detail = `Expected hostname or IPv6 IP enclosed in [] but got ${host}`;
    throw new BlockError("BLOCK_MANAGER_ID_INVALID", detail);
  }
  if (host.includes(":")) {
    throw new BlockError("BLOCK_MANAGER_ID_INVALID", `Expected hostname or IP but got ${host}`);
  }
}

/** Java's `split` leaves out empty parts at the end, so `a::` has one part. */
function javaSplitLength(host: string): number {
  const parts = host.split(":");
  let length = parts.length;
  while (length > 1 && parts[length - 1] === "") length--;
  return length;
}
