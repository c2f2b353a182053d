import { BytesManagedBuffer, TransportError } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BlockFetchingListener,
  RetryingBlockFetcher,
  type RetryingBlockFetcherOptions,
  ShuffleError,
} from "../../src/index.ts";
import { RecordingListener } from "./recording-listener.ts";

const WAIT_MS = 5000;
/** The wait with the most jitter. */
const WAIT_MS_MAX = 7500;

describe("RetryingBlockFetcher", () => {
  it("tells of every block and ends", async () => {
    const { attempts, listener, run } = fetcher(["a", "b"]);
    attempt(attempts, 0).succeed("b", "a");
    await run;
    expect([...listener.successes.keys()]).toEqual(["b", "a"]);
    expect(attempts).toHaveLength(1);
  });

  it("asks again only for what a broken connection did not bring", async () => {
    const { attempts, clock, listener, run } = fetcher(["a", "b", "c", "d"]);
    attempt(attempts, 0).succeed("a", "c").fail(connectionClosed(), "b", "d");
    await clock.advanceAndSettle(WAIT_MS_MAX);
    expect(attempt(attempts, 1).blockIds).toEqual(["b", "d"]);
    attempt(attempts, 1).succeed("b", "d");
    await run;
    expect([...listener.successes.keys()].toSorted()).toEqual(["a", "b", "c", "d"]);
    expect(listener.failures.size).toBe(0);
  });

  it("waits at least the configured time, and at most half as long again", async () => {
    for (const chance of [0, 0.999]) {
      const { attempts, clock } = fetcher(["a"], { random: chanceOf(chance) });
      attempt(attempts, 0).fail(connectionClosed(), "a");
      await clock.advanceAndSettle(WAIT_MS * (1 + chance / 2) - 10);
      expect(attempts).toHaveLength(1);
      await clock.advanceAndSettle(20);
      expect(attempts).toHaveLength(2);
    }
  });

  it("takes a failure to begin for a failure of the attempt", async () => {
    const { attempts, clock, listener, run } = fetcher(["a", "b"]);
    attempt(attempts, 0).refuse(new TransportError("CONNECT_FAILED", "refused"));
    await clock.advanceAndSettle(WAIT_MS_MAX);
    expect(attempt(attempts, 1).blockIds).toEqual(["a", "b"]);
    attempt(attempts, 1).refuse(new ShuffleError("EXECUTOR_DEAD", "gone"));
    await run;
    expect([listener.codeOf("a"), listener.codeOf("b")]).toEqual([
      "EXECUTOR_DEAD",
      "EXECUTOR_DEAD",
    ]);
    expect(attempts).toHaveLength(2);
  });

  it.each([
    [
      "a failure that the peer reports",
      new TransportError("REMOTE_FAILURE", "java.io.IOException"),
    ],
    ["a chunk that the peer cannot read", new TransportError("CHUNK_FETCH_FAILED", "no such file")],
    ["an answer that makes no sense", new ShuffleError("STREAM_HANDLE_INVALID", "7 chunks")],
    ["an error of our own", new TypeError("undefined is not a function")],
  ])("does not retry %s, and goes on with the other blocks", async (_, error) => {
    const { attempts, listener, run } = fetcher(["a", "b"]);
    attempt(attempts, 0).fail(error, "a").succeed("b");
    await run;
    expect(listener.failures.get("a")).toBe(error);
    expect([...listener.successes.keys()]).toEqual(["b"]);
    expect(attempts).toHaveLength(1);
  });

  it.each([
    "CONNECT_FAILED",
    "CONNECT_TIMEOUT",
    "CONNECT_FAST_FAILED",
    "CHANNEL_CLOSED",
    "CHANNEL_IDLE",
    "FRAME_TRUNCATED",
    "WRITE_FAILED",
  ] as const)("retries %s as often as configured and no more", async (code) => {
    const { attempts, clock, listener, run } = fetcher(["a", "b"], { maxRetries: 2 });
    const error = new TransportError(code, "broken");
    for (const index of [0, 1]) {
      attempt(attempts, index).fail(error, "a", "b");
      await clock.advanceAndSettle(WAIT_MS_MAX);
    }
    attempt(attempts, 2).fail(error, "a", "b");
    await run;
    expect(attempts).toHaveLength(3);
    expect([listener.failures.get("a"), listener.failures.get("b")]).toEqual([error, error]);
  });

  it("makes one attempt when no retries are configured", async () => {
    const { attempts, listener, run } = fetcher(["a"], { maxRetries: 0 });
    attempt(attempts, 0).fail(connectionClosed(), "a");
    await run;
    expect(listener.codeOf("a")).toBe("CHANNEL_CLOSED");
  });

  it("ignores what an abandoned attempt still says", async () => {
    const { attempts, clock, listener, run } = fetcher(["a", "b"]);
    const released: string[] = [];
    attempt(attempts, 0).fail(connectionClosed(), "a");
    attempt(attempts, 0).succeedWith("b", () => released.push("while waiting"));
    await clock.advanceAndSettle(WAIT_MS_MAX);
    attempt(attempts, 0).succeedWith("a", () => released.push("after the retry"));
    attempt(attempts, 0).fail(new TransportError("REMOTE_FAILURE", "late"), "b");
    expect(listener.told).toBe(0);
    attempt(attempts, 1)
      .succeed("a", "b")
      .succeedWith("a", () => released.push("twice"));
    await run;
    expect(released).toEqual(["while waiting", "after the retry", "twice"]);
    expect(listener.successes.size).toBe(2);
  });

  it("counts time-outs of the authentication apart from broken connections", async () => {
    const options = { maxRetries: 1, retryAuthentication: true };
    const { attempts, clock, listener, run } = fetcher(["a", "b"], options);
    attempt(attempts, 0).refuse(authenticationTimedOut());
    await clock.advanceAndSettle(WAIT_MS_MAX);
    attempt(attempts, 1).fail(connectionClosed(), "a", "b");
    await clock.advanceAndSettle(WAIT_MS_MAX);
    // Got past the authentication since: its budget is whole again.
    attempt(attempts, 2).refuse(authenticationTimedOut());
    await clock.advanceAndSettle(WAIT_MS_MAX);
    attempt(attempts, 3).succeed("a").fail(connectionClosed(), "b");
    await run;
    expect(listener.codeOf("b")).toBe("CHANNEL_CLOSED");
    expect(attempts).toHaveLength(4);
  });

  it("does not retry the authentication unless told to", async () => {
    const { attempts, listener, run } = fetcher(["a"]);
    attempt(attempts, 0).refuse(authenticationTimedOut());
    await run;
    expect(listener.codeOf("a")).toBe("BOOTSTRAP_FAILED");
  });

  it("can be given up while an attempt runs", async () => {
    const { attempts, controller, listener, run } = fetcher(["a", "b"]);
    attempt(attempts, 0).succeed("a");
    controller.abort(new Error("enough"));
    await run;
    expect(listener.successes.size).toBe(1);
    expect(listener.failures.get("b")).toMatchObject({
      code: "FETCH_ABORTED",
      cause: new Error("enough"),
    });
  });

  it("can be given up while it waits to retry", async () => {
    const { attempts, clock, controller, listener, run } = fetcher(["a"]);
    attempt(attempts, 0).fail(connectionClosed(), "a");
    await clock.advanceAndSettle(10);
    controller.abort();
    await run;
    expect(listener.codeOf("a")).toBe("FETCH_ABORTED");
    expect(attempts).toHaveLength(1);
  });

  it("asks nobody when it was given up before it began", async () => {
    const { attempts, listener, run } = fetcher(["a"], { signal: AbortSignal.abort() });
    await run;
    expect(attempts).toHaveLength(0);
    expect(listener.codeOf("a")).toBe("FETCH_ABORTED");
  });

  it("goes on when its listener throws", async () => {
    const seen: string[] = [];
    const listener: BlockFetchingListener = {
      onBlockFetchSuccess: (blockId) => {
        seen.push(blockId);
        throw new Error("listener");
      },
      onBlockFetchFailure: () => {},
    };
    const { attempts, run } = fetcher(["a", "b"], { listener });
    attempt(attempts, 0).succeed("a", "b");
    await run;
    expect(seen).toEqual(["a", "b"]);
  });

  it("refuses to fetch nothing", () => {
    expect(() => fetcher([])).toThrow(expect.objectContaining({ code: "BLOCK_IDS_INVALID" }));
  });

  it("tells of each block exactly once, whatever happens", async () => {
    const blockIds = ["a", "b", "c"];
    const event = fc.record({
      attempt: fc.nat({ max: 4 }),
      block: fc.constantFrom(...blockIds),
      outcome: fc.constantFrom("success", "broken", "refused", "wait"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
        const { attempts, clock, controller, listener, run } = fetcher(blockIds);
        for (const { attempt: index, block, outcome } of events) {
          const target = attempts[index];
          if (outcome === "wait") await clock.advanceAndSettle(WAIT_MS_MAX);
          else if (outcome === "success") target?.succeed(block);
          else target?.fail(outcome === "broken" ? connectionClosed() : new Error("no"), block);
        }
        controller.abort();
        await run;
        // The listener throws when it is told of a block twice.
        expect(listener.told).toBe(blockIds.length);
      }),
      { numRuns: 200 },
    );
  });
});

/** One attempt as its peer sees it. */
class TestAttempt {
  readonly blockIds: readonly string[];
  readonly #listener: BlockFetchingListener;
  readonly #refuse: (error: Error) => void;

  constructor(
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    refuse: (error: Error) => void,
  ) {
    this.blockIds = blockIds;
    this.#listener = listener;
    this.#refuse = refuse;
  }

  succeed(...blockIds: string[]): this {
    for (const blockId of blockIds) this.succeedWith(blockId, () => {});
    return this;
  }

  succeedWith(blockId: string, onRelease: () => void): this {
    const buffer = new BytesManagedBuffer(Buffer.from(blockId));
    buffer.release = onRelease;
    this.#listener.onBlockFetchSuccess(blockId, buffer);
    return this;
  }

  fail(error: Error, ...blockIds: string[]): this {
    for (const blockId of blockIds) this.#listener.onBlockFetchFailure(blockId, error);
    return this;
  }

  refuse(error: Error): void {
    this.#refuse(error);
  }
}

function fetcher(blockIds: readonly string[], options: Partial<RetryingBlockFetcherOptions> = {}) {
  const attempts: TestAttempt[] = [];
  const clock = new ManualClock();
  const controller = new AbortController();
  const listener = new RecordingListener();
  const run = new RetryingBlockFetcher({
    blockIds,
    listener,
    start: (ids, attemptListener) =>
      new Promise((_, reject) => attempts.push(new TestAttempt(ids, attemptListener, reject))),
    maxRetries: 3,
    retryWaitMs: WAIT_MS,
    clock,
    random: chanceOf(0.5),
    signal: controller.signal,
    ...options,
  }).run();
  return { attempts, clock, controller, listener, run };
}

function attempt(attempts: readonly TestAttempt[], index: number): TestAttempt {
  const found = attempts[index];
  if (found === undefined) throw new Error(`there were ${attempts.length} attempts`);
  return found;
}

function chanceOf(value: number): RetryingBlockFetcherOptions["random"] {
  return { next: () => value, below: () => 0, uuid: () => "" };
}

function connectionClosed(): TransportError {
  return new TransportError("CHANNEL_CLOSED", "Connection from /10.0.0.1:7337 closed");
}

function authenticationTimedOut(): TransportError {
  const cause = new TransportError("REQUEST_TIMEOUT", "no answer within 30000 ms");
  return new TransportError("BOOTSTRAP_FAILED", "setting up the connection", { cause });
}
