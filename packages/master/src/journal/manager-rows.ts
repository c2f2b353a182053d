/**
 * The rows of the block-manager master:
 *
 *     m/<executor>             its block manager, as JSON
 *     b/<executor>/<block>     what it has of a block: flags, replication, bytes in memory and on disk
 *     v/<block>                the cached partition is hidden
 *     t/<task>/<block>         the task computes the partition
 *
 * Executor ids are percent-encoded, so that they have no slash. A row that cannot be read is passed
 * over: reports bring back what it said.
 */
import {
  type BlockId,
  BlockManagerId,
  type BlockStatus,
  parseBlockId,
  StorageLevel,
} from "@bm/block";
import type { RpcEndpointAddress } from "@bm/rpc";
import type { MasterJournal } from "./master-journal.ts";

/** What is kept of a block manager. */
export interface ManagerRow {
  readonly id: BlockManagerId;
  readonly maxOnHeapMem: number;
  readonly maxOffHeapMem: number;
  readonly slave: RpcEndpointAddress;
  readonly localDirs: readonly string[];
  readonly isDecommissioning: boolean;
}

/** Takes what was kept: block managers first, then what they have, then what is hidden. */
export interface ManagerRowsVisitor {
  manager(row: ManagerRow): void;
  block(executorId: string, blockId: BlockId, status: BlockStatus): void;
  hidden(blockId: BlockId): void;
  task(taskId: bigint, blockId: BlockId): void;
}

const REPLICATION_AT = 1;
const MEM_SIZE_AT = 2;
const DISK_SIZE_AT = 10;
const STATUS_BYTES = 18;
const NO_BYTES = new Uint8Array(0);

/** See the file comment. */
export class ManagerRows {
  readonly #journal: MasterJournal;

  constructor(journal: MasterJournal) {
    this.#journal = journal;
  }

  putManager({ id, slave, ...row }: ManagerRow): void {
    const { executorId, host, port, topologyInfo } = id;
    const { address, name } = slave;
    const fields = { ...row, executorId, host, port, topologyInfo, slave: { address, name } };
    this.#journal.put(managerKey(executorId), Buffer.from(JSON.stringify(fields)));
  }

  deleteManager(executorId: string): void {
    this.#journal.delete(managerKey(executorId));
  }

  putBlock(executorId: string, { name }: BlockId, status: BlockStatus): void {
    this.#journal.put(blockKey(executorId, name), statusBytes(status));
  }

  deleteBlock(executorId: string, { name }: BlockId): void {
    this.#journal.delete(blockKey(executorId, name));
  }

  putHidden({ name }: BlockId): void {
    this.#journal.put(`v/${name}`, NO_BYTES);
  }

  deleteHidden({ name }: BlockId): void {
    this.#journal.delete(`v/${name}`);
  }

  putTask(taskId: bigint, { name }: BlockId): void {
    this.#journal.put(`t/${taskId}/${name}`, NO_BYTES);
  }

  deleteTask(taskId: bigint, { name }: BlockId): void {
    this.#journal.delete(`t/${taskId}/${name}`);
  }

  /** Hands over what is on disk. Gives the number of rows that could not be read. */
  async restore(visitor: ManagerRowsVisitor): Promise<number> {
    let damaged = 0;
    const guarded =
      (take: (key: string, value: Uint8Array) => void) =>
      (key: string, value: Uint8Array): void => {
        try {
          take(key, value);
        } catch {
          damaged += 1;
        }
      };
    const take = {
      "m/": (_key: string, value: Uint8Array) => visitor.manager(readManager(value)),
      "b/": (key: string, value: Uint8Array) => {
        const [executorId, name] = cut(key);
        visitor.block(decodeURIComponent(executorId), parseBlockId(name), readStatus(value));
      },
      "v/": (key: string) => visitor.hidden(parseBlockId(key.slice("v/".length))),
      "t/": (key: string) => {
        const [taskId, name] = cut(key);
        visitor.task(BigInt(taskId), parseBlockId(name));
      },
    };
    for (const [prefix, row] of Object.entries(take))
      await this.#journal.read(prefix, guarded(row));
    return damaged;
  }
}

function managerKey(executorId: string): string {
  return `m/${encodeURIComponent(executorId)}`;
}

function blockKey(executorId: string, name: string): string {
  return `b/${encodeURIComponent(executorId)}/${name}`;
}

/** The two parts of a key behind its kind. */
function cut(key: string): [string, string] {
  const start = "x/".length;
  const slash = key.indexOf("/", start);
  return [key.slice(start, slash), key.slice(slash + 1)];
}

function readManager(value: Uint8Array): ManagerRow {
  const fields = JSON.parse(Buffer.from(value).toString()) as ManagerFields;
  const { executorId, host, port, topologyInfo, ...row } = fields;
  return { ...row, id: BlockManagerId.of(executorId, host, port, topologyInfo) };
}

interface ManagerFields extends Omit<ManagerRow, "id"> {
  readonly executorId: string;
  readonly host: string;
  readonly port: number;
  readonly topologyInfo: string | null;
}

function statusBytes({ storageLevel, memSize, diskSize }: BlockStatus): Uint8Array {
  const bytes = Buffer.allocUnsafe(STATUS_BYTES);
  bytes.writeUInt8(storageLevel.flags);
  bytes.writeInt8(storageLevel.replication, REPLICATION_AT);
  bytes.writeDoubleBE(memSize, MEM_SIZE_AT);
  bytes.writeDoubleBE(diskSize, DISK_SIZE_AT);
  return bytes;
}

function readStatus(value: Uint8Array): BlockStatus {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const storageLevel = StorageLevel.fromFlags(bytes.readUInt8(), bytes.readInt8(REPLICATION_AT));
  const memSize = bytes.readDoubleBE(MEM_SIZE_AT);
  return { storageLevel, memSize, diskSize: bytes.readDoubleBE(DISK_SIZE_AT) };
}
