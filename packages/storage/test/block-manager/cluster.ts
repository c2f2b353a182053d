import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  type BlockManagerMasterEndpointOptions,
  MapOutputTracker,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
} from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { BlockManager, type BlockManagerOptions } from "../../src/index.ts";

/** A driver and any number of block managers, each with an environment of its own, over sockets. */
export class Cluster {
  readonly driverEnv: RpcEnv;
  readonly tracker: MapOutputTrackerMaster;
  readonly root: string;
  readonly #managers: BlockManager[] = [];
  readonly #envs: RpcEnv[] = [];

  private constructor(driverEnv: RpcEnv, tracker: MapOutputTrackerMaster, root: string) {
    this.driverEnv = driverEnv;
    this.tracker = tracker;
    this.root = root;
  }

  static async start(options: Partial<BlockManagerMasterEndpointOptions> = {}): Promise<Cluster> {
    const root = await mkdtemp(join(tmpdir(), "bm-cluster-"));
    const env = await RpcEnv.create({ name: "driver" });
    const tracker = new MapOutputTrackerMaster();
    const defaults = { mapOutputTracker: tracker, heartbeat: false } as const;
    BlockManagerMasterEndpoint.setup(env, { ...defaults, ...options });
    MapOutputTrackerMasterEndpoint.setup(env, tracker);
    return new Cluster(env, tracker, root);
  }

  get master(): BlockManagerMaster {
    return BlockManagerMaster.at(this.driverEnv, null);
  }

  async addExecutor(
    executorId: string,
    options: Partial<BlockManagerOptions> = {},
  ): Promise<BlockManager> {
    const env = await RpcEnv.create({ name: executorId });
    this.#envs.push(env);
    const driver = this.driverEnv.address;
    const manager = await BlockManager.start({
      appId: "app-1",
      executorId,
      env,
      master: BlockManagerMaster.at(env, driver),
      tracker: MapOutputTracker.at(env, driver),
      localRoots: [join(this.root, executorId)],
      heartbeatIntervalMs: 0,
      conf: { "spark.shuffle.io.maxRetries": "1", "spark.shuffle.io.retryWait": "1s" },
      ...options,
    });
    this.#managers.push(manager);
    return manager;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(1000);
    await Promise.all(this.#managers.map((manager) => manager.close({ signal })));
    await Promise.all([...this.#envs, this.driverEnv].map((env) => env.close({ signal })));
    await rm(this.root, { recursive: true, force: true });
  }
}
