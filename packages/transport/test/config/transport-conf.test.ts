import { describe, expect, it } from "vitest";
import type { ConfKey } from "../../src/config/conf-key.ts";
import { CONF_KEYS } from "../../src/config/conf-keys.ts";
import { describeConfKeys } from "../../src/config/describe.ts";
import { TransportConf } from "../../src/config/transport-conf.ts";

describe("TransportConf", () => {
  it("has the defaults of Spark", () => {
    const conf = new TransportConf("shuffle");
    const expected = {
      module: "shuffle",
      ioMode: "AUTO",
      connectionTimeoutMs: 120_000,
      connectionCreationTimeoutMs: 120_000,
      backLog: -1,
      numConnectionsPerPeer: 1,
      receiveBuffer: -1,
      enableTcpKeepAlive: false,
      maxRetries: 3,
      retryWaitMs: 5000,
      lazyFd: true,
      authRpcTimeoutMs: 30_000,
      memoryMapThreshold: 2 * 1024 * 1024,
      portMaxRetries: 16,
      cryptoEnabled: false,
      authEngineVersion: 1,
      cryptoCipher: "AES/CTR/NoPadding",
      saslFallback: true,
      maxSaslEncryptedBlockSize: 65_536,
      sslRpcProtocol: "TLSv1.3",
      sslRpcKeyStore: null,
      sslRpcEnabledAlgorithms: [],
      sslRpcTrustStoreReloadIntervalMs: 10_000,
      mergedIndexCacheSize: 100 * 1024 * 1024,
      ioExceptionsThresholdDuringMerge: 4,
      mergedShuffleCleanerShutdownTimeoutMs: 60_000,
    };
    const names = Object.keys(expected) as (keyof typeof expected)[];
    expect(Object.fromEntries(names.map((name) => [name, conf[name]]))).toEqual(expected);
    expect(conf.maxChunksBeingTransferred).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("reads the keys of its own module", () => {
    const values = { "spark.shuffle.io.backLog": "64", "spark.rpc.io.backLog": "128" };
    expect(new TransportConf("shuffle", values).backLog).toBe(64);
    expect(new TransportConf("rpc", values).backLog).toBe(128);
  });

  it("lets the files module take over what is set for rpc", () => {
    const values = { "spark.rpc.io.backLog": "128", "spark.rpc.io.maxRetries": "9" };
    const conf = new TransportConf("files", { ...values, "spark.files.io.maxRetries": "1" });
    expect(conf.backLog).toBe(128);
    expect(conf.maxRetries).toBe(1);
    expect(new TransportConf("shuffle", values).backLog).toBe(-1);
  });

  it("takes a default from another key, through several steps", () => {
    const conf = new TransportConf("shuffle", { "spark.network.timeout": "30s" });
    expect(conf.connectionTimeoutMs).toBe(30_000);
    expect(conf.connectionCreationTimeoutMs).toBe(30_000);
    const own = new TransportConf("shuffle", {
      "spark.network.timeout": "30s",
      "spark.shuffle.io.connectionTimeout": "10s",
    });
    expect(own.connectionTimeoutMs).toBe(10_000);
    expect(own.connectionCreationTimeoutMs).toBe(10_000);
    const sasl = new TransportConf("rpc", { "spark.rpc.sasl.timeout": "7s" });
    expect(sasl.authRpcTimeoutMs).toBe(7000);
    expect(new TransportConf("rpc", { "spark.io.mode.default": "nio" }).ioMode).toBe("NIO");
  });

  it.each([
    ["true", true],
    ["TRUE", true],
    ["yes", false],
    ["1", false],
    [" true", false],
    ["", false],
  ])("reads the boolean %j as the JVM does", (text, expected) => {
    const conf = new TransportConf("shuffle", { "spark.network.crypto.saslFallback": text });
    expect(conf.saslFallback).toBe(expected);
  });

  it.each([
    ["500ms", 0],
    ["1500ms", 1000],
    ["90", 90_000],
    ["2min", 120_000],
    ["-1", 0],
    ["30d", 0x7fff_ffff],
    ["9223372036854775807d", 0x7fff_ffff],
  ])("reads the time %j in whole seconds, clamped", (text, expected) => {
    const conf = new TransportConf("shuffle", { "spark.shuffle.io.connectionTimeout": text });
    expect(conf.connectionTimeoutMs).toBe(expected);
  });

  it("lets the rpc module have one connection per peer, whatever is set", () => {
    const values = { "spark.rpc.io.numConnectionsPerPeer": "4" };
    expect(new TransportConf("rpc", values).numConnectionsPerPeer).toBe(1);
  });

  it("accepts integers as the JVM does", () => {
    const backLog = (text: string): number =>
      new TransportConf("shuffle", { "spark.shuffle.io.backLog": text }).backLog;
    expect(backLog("+3")).toBe(3);
    expect(backLog("0064")).toBe(64);
    expect(backLog("2147483647")).toBe(0x7fff_ffff);
    for (const text of [" 3", "3 ", "", "1e3", "0x10", "2147483648", "9".repeat(400)]) {
      expect(() => backLog(text), text).toThrow(/spark\.shuffle\.io\.backLog is ".*"; right would/);
    }
  });

  it("clamps 64-bit limits to what a number can hold", () => {
    const limit = (text: string): number =>
      new TransportConf("shuffle", { "spark.shuffle.maxChunksBeingTransferred": text })
        .maxChunksBeingTransferred;
    expect(limit("10")).toBe(10);
    expect(limit("9223372036854775807")).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => limit("9223372036854775808")).toThrow(/at most 64 bits/);
  });

  it.each([
    ["spark.network.sasl.maxEncryptedBlockSize", "2g", "at most 2147483647 bytes"],
    ["spark.network.sasl.maxEncryptedBlockSize", "1.5k", "without sign or fraction"],
    ["spark.shuffle.io.retryWait", "5sec", "a time such as"],
    ["spark.shuffle.io.mode", "IOURING", "one of NIO, EPOLL, KQUEUE, AUTO"],
    ["spark.network.crypto.authEngineVersion", "3", "from 1 to 2"],
    ["spark.shuffle.io.numConnectionsPerPeer", "0", "at least 1"],
  ])("says what is wrong with %s=%s", (name, text, right) => {
    const conf = new TransportConf("shuffle", { [name]: text });
    let caught: unknown;
    try {
      conf.check();
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: "OPTION_INVALID" });
    const { message } = caught as Error;
    expect(message).toContain(`${name} is "${text}"`);
    expect(message).toContain(right);
    expect(conf.entries().find((entry) => entry.name === name)?.problem).toBe(message);
  });

  it("splits lists and strips the prefix of passed-on settings", () => {
    const conf = new TransportConf("shuffle", {
      "spark.ssl.rpc.enabledAlgorithms": "TLS_A, TLS_B,,",
      "spark.network.crypto.config.secure.random": "fast",
    });
    expect(conf.sslRpcEnabledAlgorithms).toEqual(["TLS_A", "TLS_B"]);
    expect(conf.cryptoConfig).toEqual({ "secure.random": "fast" });
  });

  it("lists every effective value with its origin, and no password", () => {
    const conf = new TransportConf("shuffle", {
      "spark.network.timeout": "60s",
      "spark.ssl.rpc.keyPassword": "hush",
      "spark.network.crypto.config.a": "b",
      "spark.unrelated": "x",
    });
    const entries = new Map(conf.entries().map((entry) => [entry.name, entry]));
    expect(entries.get("spark.shuffle.io.backLog")).toMatchObject({
      text: "-1",
      value: -1,
      origin: "default",
    });
    expect(entries.get("spark.shuffle.io.connectionTimeout")).toMatchObject({
      text: "60s",
      value: 60_000,
      origin: "set",
    });
    expect(entries.get("spark.network.crypto.config.a")?.origin).toBe("set");
    expect(entries.has("spark.unrelated")).toBe(false);
    expect(JSON.stringify([...entries.values()])).not.toContain("hush");
  });

  it("does not change when the caller's values do", () => {
    const values: Record<string, string> = { "spark.shuffle.io.backLog": "1" };
    const conf = new TransportConf("shuffle", values);
    values["spark.shuffle.io.backLog"] = "2";
    expect(conf.backLog).toBe(1);
  });
});

describe("the table of keys", () => {
  it("has a getter of the right type for every key", () => {
    const conf = new TransportConf("shuffle") as unknown as Readonly<Record<string, unknown>>;
    for (const key of CONF_KEYS) {
      const value = conf[key.property];
      expect(value === null ? key.default : typeof value, key.property).toBe(
        value === null ? null : typeOf(key),
      );
    }
  });

  it("names every key and every getter once, with a default that can be read", () => {
    expect(new Set(CONF_KEYS.map((key) => key.name)).size).toBe(CONF_KEYS.length);
    expect(new Set(CONF_KEYS.map((key) => key.property)).size).toBe(CONF_KEYS.length);
    expect(() => new TransportConf("shuffle").check()).not.toThrow();
  });

  it("takes defaults only from keys that are in it", () => {
    const names = new Set(CONF_KEYS.map((key) => key.name));
    const sources = CONF_KEYS.flatMap((key) => key.defaultFrom ?? []);
    expect(sources.filter((name) => !names.has(name))).toEqual([]);
  });

  it("can be printed as Markdown", () => {
    const text = describeConfKeys(CONF_KEYS);
    expect(text.trimEnd().split("\n")).toHaveLength(CONF_KEYS.length + 2);
    expect(text).toContain("| `spark.<m>.io.backLog` | `-1` | integer | 1.1.1 |");
    expect(text).toContain("that of `spark.network.timeout` (`120s`)");
  });
});

function typeOf(key: ConfKey): string {
  if (key.type === "boolean") return "boolean";
  if (key.type === "text" || key.type === "choice") return "string";
  return key.type === "list" || key.type === "prefix" ? "object" : "number";
}
