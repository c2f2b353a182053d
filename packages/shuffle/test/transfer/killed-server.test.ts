import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { shuffleBlockId } from "@bm/block";
import { type ManagedBuffer, TransportConf } from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import {
  type BlockFetchingListener,
  NettyBlockTransferService,
  type NettyBlockTransferServiceOptions,
} from "../../src/index.ts";
import { contentOf } from "./content-of.ts";
import { MemoryBlockManager } from "./memory-block-manager.ts";

const HOST = "127.0.0.1";
const BLOCK_BYTES = 4 * 1024 * 1024;
const BLOCKS = Array.from({ length: 24 }, (_, map) => shuffleBlockId(0, BigInt(map), BLOCK_BYTES));
const children = new Set<ChildProcess>();
let service: NettyBlockTransferService | undefined;

afterEach(async () => {
  await service?.close();
  for (const child of children) child.kill("SIGKILL");
});

describe("a block server in another process", () => {
  it("serves every block to the byte", async () => {
    const server = await startServer();
    const listener = new CheckingListener();
    await fetchAll(server.port, listener);
    expect(listener.isDone).toBe(true);
    expect(listener.faults).toEqual([]);
    expect(listener.failures.size).toBe(0);
  });

  it("that is killed ends each block once, with its bytes or a typed failure", async () => {
    const server = await startServer();
    const listener = new CheckingListener();
    listener.onNth(3, () => server.child.kill("SIGKILL"));
    await fetchAll(server.port, listener);
    expect(listener.isDone).toBe(true);
    expect(listener.faults).toEqual([]);
    expect(listener.successes.size).toBeGreaterThanOrEqual(3);
    expect(listener.failures.size).toBeGreaterThan(0);
    for (const error of listener.failures.values()) {
      expect(error).toMatchObject({ name: "TransportError", code: "CONNECT_FAILED" });
    }
  });

  it("that is killed and comes back brings the rest", async () => {
    const server = await startServer();
    const listener = new CheckingListener();
    listener.onNth(3, () => server.child.kill("SIGKILL"));
    let restarts = 0;
    // Asked when connecting failed, which shows that the first process is gone.
    const isExecutorAlive = async (): Promise<boolean> => {
      restarts += 1;
      if (restarts === 1) await startServer(server.port);
      return true;
    };
    await fetchAll(server.port, listener, { isExecutorAlive });
    expect(listener.isDone).toBe(true);
    expect(listener.faults).toEqual([]);
    expect(listener.failures.size).toBe(0);
    expect(restarts).toBe(1);
  });
});

/** Checks the bytes of each block, and that it is told about each once. */
class CheckingListener implements BlockFetchingListener {
  readonly successes = new Set<string>();
  readonly failures = new Map<string, Error>();
  readonly faults: string[] = [];
  #nth = { count: Number.POSITIVE_INFINITY, call: (): unknown => undefined };
  #whenDone: () => void = () => {};

  get isDone(): boolean {
    return this.successes.size + this.failures.size === BLOCKS.length;
  }

  onNth(count: number, call: () => unknown): void {
    this.#nth = { count, call };
  }

  done(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenDone = resolve;
    });
  }

  onBlockFetchSuccess(name: string, data: ManagedBuffer): void {
    this.#told(name);
    this.successes.add(name);
    void data.bytes().then((bytes) => {
      const block = BLOCKS.find((candidate) => candidate.name === name);
      if (block === undefined || !contentOf(block).equals(bytes))
        this.faults.push(`${name}: bytes`);
      data.release();
      if (this.successes.size === this.#nth.count) this.#nth.call();
      this.#checkDone();
    });
  }

  onBlockFetchFailure(name: string, error: Error): void {
    this.#told(name);
    this.failures.set(name, error);
    this.#checkDone();
  }

  #told(name: string): void {
    if (this.successes.has(name) || this.failures.has(name)) this.faults.push(`${name}: twice`);
  }

  #checkDone(): void {
    if (this.successes.size + this.failures.size === BLOCKS.length) this.#whenDone();
  }
}

async function fetchAll(
  port: number,
  listener: CheckingListener,
  options: Partial<NettyBlockTransferServiceOptions> = {},
): Promise<void> {
  service = new NettyBlockTransferService({
    conf: new TransportConf("shuffle", { "spark.shuffle.io.retryWait": "0s" }),
    appId: "app-1",
    executorId: "1",
    ...options,
  });
  await service.init(new MemoryBlockManager());
  const done = listener.done();
  const names = BLOCKS.map(({ name }) => name);
  await service.fetchBlocks(HOST, port, "2", names, listener);
  await done;
}

async function startServer(port = 0): Promise<{ child: ChildProcess; port: number }> {
  const script = join(import.meta.dirname, "block-server-process.ts");
  const child = spawn(process.execPath, ["--conditions=@bm/source", script, String(port)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { child, port: Number(line.toString()) };
}
