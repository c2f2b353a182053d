import { RpcEndpoint, RpcEnv, RpcError } from "@bm/rpc";
import { nodePlatform, type Platform } from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import { Add, Fail, Notebook } from "../messages.ts";

const envs: RpcEnv[] = [];

afterEach(async () => {
  await Promise.all(envs.splice(0).map((env) => env.close()));
});

/** A platform that writes down how long was slept, and sleeps no longer than a turn. */
function sleeplessPlatform(slept: number[]): Platform {
  const platform = nodePlatform();
  const { clock } = platform;
  return {
    ...platform,
    clock: {
      nowMs: () => clock.nowMs(),
      wallTimeMs: () => clock.wallTimeMs(),
      setTimer: (delayMs, callback, options) => clock.setTimer(delayMs, callback, options),
      setImmediate: (callback) => clock.setImmediate(callback),
      sleep: (delayMs, options) => {
        slept.push(delayMs);
        return clock.sleep(0, options);
      },
    },
  };
}

async function localEnv(slept: number[]): Promise<RpcEnv> {
  const platform = sleeplessPlatform(slept);
  const env = await RpcEnv.create({ name: "local", isClientOnly: true, platform });
  envs.push(env);
  return env;
}

/** Times out twice, then adds. */
class Hesitant extends RpcEndpoint {
  asked = 0;

  constructor() {
    super();
    this.receiveAndReply(Add, async (term) => {
      this.asked += 1;
      if (this.asked < 3) await new Promise((resolve) => setTimeout(resolve, 30));
      return term;
    });
  }
}

describe("askWithRetry", () => {
  it("asks again after a time-out, and waits in between", async () => {
    const slept: number[] = [];
    const env = await localEnv(slept);
    const hesitant = new Hesitant();
    const ref = env.setupEndpoint("hesitant", hesitant);
    const options = { attempts: 8, timeoutMs: 10, waitMs: 1000 };
    await expect(ref.askWithRetry(Add, 5, options)).resolves.toBe(5);
    expect(hesitant.asked).toBeGreaterThanOrEqual(3);
    expect(slept.length).toBeGreaterThanOrEqual(2);
    for (const delayMs of slept) {
      expect(delayMs).toBeGreaterThanOrEqual(500);
      expect(delayMs).toBeLessThanOrEqual(1500);
    }
  });

  it("gives up after the last attempt with its error", async () => {
    const slept: number[] = [];
    const env = await localEnv(slept);
    const ref = env.setupEndpoint("hesitant", new Hesitant());
    const options = { attempts: 2, timeoutMs: 1, waitMs: 100, jitter: 0 };
    await expect(ref.askWithRetry(Add, 5, options)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(slept).toEqual([100]);
  });

  it("does not repeat what failed for good", async () => {
    const slept: number[] = [];
    const env = await localEnv(slept);
    const ref = env.setupEndpoint("notebook", new Notebook());
    await expect(ref.askWithRetry(Fail, "x")).rejects.toMatchObject({ code: "REMOTE_FAILURE" });
    const absent = env.endpointRef(null, "absent");
    await expect(absent.askWithRetry(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    expect(slept).toEqual([]);
  });

  it("retries when the peer cannot be reached", async () => {
    const slept: number[] = [];
    const env = await localEnv(slept);
    const gone = await RpcEnv.create({ name: "gone" });
    const ref = env.endpointRef(gone.address, "notebook");
    await gone.close();
    const options = { attempts: 3, waitMs: 10 };
    await expect(ref.askWithRetry(Add, 1, options)).rejects.toMatchObject({
      code: "CONNECT_FAILED",
    });
    expect(slept).toHaveLength(2);
  });

  it("stops when it is aborted", async () => {
    const env = await localEnv([]);
    const ref = env.setupEndpoint("hesitant", new Hesitant());
    const controller = new AbortController();
    const options = { attempts: 100, timeoutMs: 5, signal: controller.signal };
    const answer = ref.askWithRetry(Add, 5, options);
    setTimeout(() => controller.abort(), 2);
    await expect(answer).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("refuses options out of range", async () => {
    const env = await localEnv([]);
    const ref = env.setupEndpoint("notebook", new Notebook());
    for (const options of [{ attempts: 0 }, { waitMs: -1 }, { jitter: 2 }]) {
      const answer = ref.askWithRetry(Add, 1, options);
      await expect(answer).rejects.toBeInstanceOf(RpcError);
      await expect(answer).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  });
});
