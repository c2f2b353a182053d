/** A driver with its master, and executors of one or many environments. */
import { BlockManagerId } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  type BlockManagerMasterEndpointOptions,
  BlockManagerSlaveEndpoint,
  type BlockOwner,
  type MasterEvent,
} from "@bm/master";
import { RpcEnv, type RpcEnvOptions } from "@bm/rpc";
import { RecordingOwner } from "./recording-owner.ts";

/** Where messages go: all in one process by reference, or each executor over its own connection. */
export type Wiring = "in process" | "over sockets";

/** How an executor introduces itself. */
export interface ExecutorOptions {
  readonly executorId: string;
  readonly host?: string;
  readonly port?: number;
  readonly owner?: BlockOwner;
  readonly localDirs?: readonly string[];
  readonly maxOnHeapMemSize?: number;
  readonly maxOffHeapMemSize?: number;
  readonly isReRegister?: boolean;
  readonly mapOutputTracker?: { unregisterShuffle(shuffleId: number): void };
}

/** An executor that was registered. */
export interface Executor {
  readonly id: BlockManagerId;
  readonly master: BlockManagerMaster;
  readonly env: RpcEnv;
}

export class Cluster {
  readonly events: MasterEvent[] = [];
  readonly driver: RpcEnv;
  readonly master: BlockManagerMaster;
  readonly #wiring: Wiring;
  readonly #envs: RpcEnv[] = [];

  private constructor(driver: RpcEnv, wiring: Wiring) {
    this.driver = driver;
    this.#wiring = wiring;
    this.#envs.push(driver);
    this.master = BlockManagerMaster.at(driver, driver.address);
  }

  static async start(
    wiring: Wiring,
    options: BlockManagerMasterEndpointOptions = {},
    envOptions: Partial<RpcEnvOptions> = {},
  ): Promise<Cluster> {
    const isClientOnly = wiring === "in process";
    const driver = await RpcEnv.create({ name: "driver", isClientOnly, ...envOptions });
    const cluster = new Cluster(driver, wiring);
    const listener = (event: MasterEvent): void => void cluster.events.push(event);
    BlockManagerMasterEndpoint.setup(driver, { listener, ...options });
    return cluster;
  }

  /** An environment for an executor: its own where there are sockets. */
  async executorEnv(): Promise<RpcEnv> {
    if (this.#wiring === "in process") return this.driver;
    const env = await RpcEnv.create({ name: "executor" });
    this.#envs.push(env);
    return env;
  }

  async register(options: ExecutorOptions): Promise<Executor> {
    const { executorId, host = "h1", port = 1001, owner = new RecordingOwner() } = options;
    const { mapOutputTracker } = options;
    const env = await this.executorEnv();
    const master = BlockManagerMaster.at(env, this.driver.address);
    const id = await master.registerBlockManager({
      blockManagerId: BlockManagerId.of(executorId, host, port),
      localDirs: options.localDirs ?? [`/dirs/${executorId}`],
      maxOnHeapMemSize: options.maxOnHeapMemSize ?? 1000,
      maxOffHeapMemSize: options.maxOffHeapMemSize ?? 0,
      slaveEndpoint: BlockManagerSlaveEndpoint.setup(env, { owner, mapOutputTracker }),
      isReRegister: options.isReRegister ?? false,
    });
    return { id, master, env };
  }

  /** Ends every environment. */
  async close(): Promise<void> {
    await Promise.all(this.#envs.splice(0).map((env) => env.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
