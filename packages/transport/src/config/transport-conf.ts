import { invariant } from "../invariant.ts";
import type { ConfKey } from "./conf-key.ts";
import { CONF_KEYS } from "./conf-keys.ts";
import { type ConfValue, readConfValue } from "./read-conf-value.ts";

const KEYS_BY_PROPERTY: ReadonlyMap<string, ConfKey> = new Map(
  CONF_KEYS.map((key) => [key.property, key]),
);
const KEYS_BY_NAME: ReadonlyMap<string, ConfKey> = new Map(CONF_KEYS.map((key) => [key.name, key]));

/** Stands for a password. */
const HIDDEN = "(hidden)";

/** The effective value of one key. */
export interface ConfEntry {
  /** Full name, with the module in place. */
  readonly name: string;
  /** As written: what was set, or the default; null when there is neither. Passwords are hidden. */
  readonly text: string | null;
  /** Times in milliseconds, sizes in bytes; null when there is none or it cannot be read. */
  readonly value: ConfValue;
  /** "set" also when the value of the key that gives the default was set. */
  readonly origin: "default" | "set";
  /** What is wrong with the text, or null. */
  readonly problem: string | null;
}

/**
 * Configuration of one module (`shuffle`, `rpc`, `files`, …) by Spark's names: one getter per key
 * of CONF_KEYS.
 *
 * A value is read when it is asked for. Every getter can throw a TransportError OPTION_INVALID that
 * names the key, the value and what would be right; `check` asks for all of them.
 * Keys that are not in the table are ignored: they belong to somebody else.
 */
export class TransportConf {
  readonly module: string;
  readonly #values: Readonly<Record<string, string>>;

  /** @param values by full name, such as `spark.shuffle.io.backLog`; copied. */
  constructor(module: string, values: Readonly<Record<string, string>> = {}) {
    this.module = module;
    this.#values = { ...values };
  }

  /** @throws TransportError OPTION_INVALID for the first value that cannot be read. */
  check(): void {
    for (const { property } of CONF_KEYS) this.#read(property);
  }

  /** The effective value of every key, in the order of the table. Never throws. */
  entries(): ConfEntry[] {
    return CONF_KEYS.flatMap((key) => {
      if (key.type === "prefix") return this.#entriesOfPrefix(key);
      const { text, isSet } = this.#textOf(key);
      const origin = isSet ? "set" : "default";
      const name = this.#nameOf(key);
      if (key.isSecret === true && text !== null) {
        return { name, text: HIDDEN, value: HIDDEN, origin, problem: null };
      }
      try {
        return { name, text, value: readConfValue(key, name, text), origin, problem: null };
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        return { name, text, value: null, origin, problem };
      }
    });
  }

  /** `spark.io.mode.default`. */
  get ioModeDefault(): string {
    return this.#text("ioModeDefault");
  }

  /** `spark.<m>.io.mode`. */
  get ioMode(): string {
    return this.#text("ioMode");
  }

  /** `spark.<m>.io.preferDirectBufs`. */
  get preferDirectBufs(): boolean {
    return this.#boolean("preferDirectBufs");
  }

  /** `spark.network.io.preferDirectBufs`. */
  get sharedPreferDirectBufs(): boolean {
    return this.#boolean("sharedPreferDirectBufs");
  }

  /** `spark.network.sharedByteBufAllocators.enabled`. */
  get sharedByteBufAllocators(): boolean {
    return this.#boolean("sharedByteBufAllocators");
  }

  /** `spark.network.timeout`. Milliseconds. */
  get networkTimeoutMs(): number {
    return this.#number("networkTimeoutMs");
  }

  /** `spark.<m>.io.connectionTimeout`. Milliseconds. */
  get connectionTimeoutMs(): number {
    return this.#number("connectionTimeoutMs");
  }

  /** `spark.<m>.io.connectionCreationTimeout`. Milliseconds. */
  get connectionCreationTimeoutMs(): number {
    return this.#number("connectionCreationTimeoutMs");
  }

  /** `spark.<m>.io.backLog`. */
  get backLog(): number {
    return this.#number("backLog");
  }

  /** `spark.<m>.io.numConnectionsPerPeer`. */
  get numConnectionsPerPeer(): number {
    return this.#number("numConnectionsPerPeer");
  }

  /** `spark.<m>.io.serverThreads`. */
  get serverThreads(): number {
    return this.#number("serverThreads");
  }

  /** `spark.<m>.io.clientThreads`. */
  get clientThreads(): number {
    return this.#number("clientThreads");
  }

  /** `spark.<m>.io.receiveBuffer`. */
  get receiveBuffer(): number {
    return this.#number("receiveBuffer");
  }

  /** `spark.<m>.io.sendBuffer`. */
  get sendBuffer(): number {
    return this.#number("sendBuffer");
  }

  /** `spark.<m>.io.enableTcpKeepAlive`. */
  get enableTcpKeepAlive(): boolean {
    return this.#boolean("enableTcpKeepAlive");
  }

  /** `spark.<m>.io.maxRetries`. */
  get maxRetries(): number {
    return this.#number("maxRetries");
  }

  /** `spark.<m>.io.retryWait`. Milliseconds. */
  get retryWaitMs(): number {
    return this.#number("retryWaitMs");
  }

  /** `spark.<m>.io.lazyFD`. */
  get lazyFd(): boolean {
    return this.#boolean("lazyFd");
  }

  /** `spark.<m>.io.enableVerboseMetrics`. */
  get enableVerboseMetrics(): boolean {
    return this.#boolean("enableVerboseMetrics");
  }

  /** `spark.port.maxRetries`. */
  get portMaxRetries(): number {
    return this.#number("portMaxRetries");
  }

  /** `spark.storage.memoryMapThreshold`. Bytes. */
  get memoryMapThreshold(): number {
    return this.#number("memoryMapThreshold");
  }

  /** `spark.network.recreateWorkerGroupOnDeadEventLoop`. */
  get recreateWorkerGroupOnDeadEventLoop(): boolean {
    return this.#boolean("recreateWorkerGroupOnDeadEventLoop");
  }

  /** `spark.<m>.sasl.timeout`. Milliseconds. */
  get saslTimeoutMs(): number {
    return this.#number("saslTimeoutMs");
  }

  /** `spark.network.auth.rpcTimeout`. Milliseconds. */
  get authRpcTimeoutMs(): number {
    return this.#number("authRpcTimeoutMs");
  }

  /** `spark.network.crypto.enabled`. */
  get cryptoEnabled(): boolean {
    return this.#boolean("cryptoEnabled");
  }

  /** `spark.network.crypto.authEngineVersion`. */
  get authEngineVersion(): number {
    return this.#number("authEngineVersion");
  }

  /** `spark.network.crypto.cipher`. */
  get cryptoCipher(): string {
    return this.#text("cryptoCipher");
  }

  /** `spark.network.crypto.saslFallback`. */
  get saslFallback(): boolean {
    return this.#boolean("saslFallback");
  }

  /** `spark.network.crypto.config.*`. */
  get cryptoConfig(): Readonly<Record<string, string>> {
    return this.#prefixed("cryptoConfig");
  }

  /** `spark.authenticate.enableSaslEncryption`. */
  get enableSaslEncryption(): boolean {
    return this.#boolean("enableSaslEncryption");
  }

  /** `spark.network.sasl.maxEncryptedBlockSize`. Bytes. */
  get maxSaslEncryptedBlockSize(): number {
    return this.#number("maxSaslEncryptedBlockSize");
  }

  /** `spark.network.sasl.serverAlwaysEncrypt`. */
  get saslServerAlwaysEncrypt(): boolean {
    return this.#boolean("saslServerAlwaysEncrypt");
  }

  /** `spark.network.ssl.maxEncryptedBlockSize`. Bytes. */
  get maxSslEncryptedBlockSize(): number {
    return this.#number("maxSslEncryptedBlockSize");
  }

  /** `spark.ssl.rpc.enabled`. */
  get sslRpcEnabled(): boolean {
    return this.#boolean("sslRpcEnabled");
  }

  /** `spark.ssl.rpc.protocol`. */
  get sslRpcProtocol(): string {
    return this.#text("sslRpcProtocol");
  }

  /** `spark.ssl.rpc.enabledAlgorithms`. */
  get sslRpcEnabledAlgorithms(): readonly string[] {
    return this.#list("sslRpcEnabledAlgorithms");
  }

  /** `spark.ssl.rpc.keyStore`. */
  get sslRpcKeyStore(): string | null {
    return this.#textOrNull("sslRpcKeyStore");
  }

  /** `spark.ssl.rpc.keyStorePassword`. */
  get sslRpcKeyStorePassword(): string | null {
    return this.#textOrNull("sslRpcKeyStorePassword");
  }

  /** `spark.ssl.rpc.keyPassword`. */
  get sslRpcKeyPassword(): string | null {
    return this.#textOrNull("sslRpcKeyPassword");
  }

  /** `spark.ssl.rpc.trustStore`. */
  get sslRpcTrustStore(): string | null {
    return this.#textOrNull("sslRpcTrustStore");
  }

  /** `spark.ssl.rpc.trustStorePassword`. */
  get sslRpcTrustStorePassword(): string | null {
    return this.#textOrNull("sslRpcTrustStorePassword");
  }

  /** `spark.ssl.rpc.trustStoreReloadingEnabled`. */
  get sslRpcTrustStoreReloadingEnabled(): boolean {
    return this.#boolean("sslRpcTrustStoreReloadingEnabled");
  }

  /** `spark.ssl.rpc.trustStoreReloadIntervalMs`. */
  get sslRpcTrustStoreReloadIntervalMs(): number {
    return this.#number("sslRpcTrustStoreReloadIntervalMs");
  }

  /** `spark.ssl.rpc.openSslEnabled`. */
  get sslRpcOpenSslEnabled(): boolean {
    return this.#boolean("sslRpcOpenSslEnabled");
  }

  /** `spark.ssl.rpc.privateKey`. */
  get sslRpcPrivateKey(): string | null {
    return this.#textOrNull("sslRpcPrivateKey");
  }

  /** `spark.ssl.rpc.privateKeyPassword`. */
  get sslRpcPrivateKeyPassword(): string | null {
    return this.#textOrNull("sslRpcPrivateKeyPassword");
  }

  /** `spark.ssl.rpc.certChain`. */
  get sslRpcCertChain(): string | null {
    return this.#textOrNull("sslRpcCertChain");
  }

  /** `spark.shuffle.maxChunksBeingTransferred`. */
  get maxChunksBeingTransferred(): number {
    return this.#number("maxChunksBeingTransferred");
  }

  /** `bm.<m>.io.busyPollMicros`. Microseconds. */
  get busyPollMicros(): number {
    return this.#number("busyPollMicros");
  }

  /** `bm.<m>.answersInFlight.size`. Bytes. */
  get answersInFlightBytes(): number {
    return this.#number("answersInFlightBytes");
  }

  /** `spark.shuffle.server.chunkFetchHandlerThreadsPercent`. */
  get chunkFetchHandlerThreadsPercent(): number {
    return this.#number("chunkFetchHandlerThreadsPercent");
  }

  /** `spark.shuffle.server.finalizeShuffleMergeThreadsPercent`. */
  get finalizeShuffleMergeThreadsPercent(): number {
    return this.#number("finalizeShuffleMergeThreadsPercent");
  }

  /** `spark.shuffle.useOldFetchProtocol`. */
  get useOldFetchProtocol(): boolean {
    return this.#boolean("useOldFetchProtocol");
  }

  /** `spark.shuffle.sasl.enableRetries`. */
  get saslRetriesEnabled(): boolean {
    return this.#boolean("saslRetriesEnabled");
  }

  /** `spark.shuffle.push.server.mergedShuffleFileManagerImpl`. */
  get mergedShuffleFileManagerImpl(): string {
    return this.#text("mergedShuffleFileManagerImpl");
  }

  /** `spark.shuffle.push.server.minChunkSizeInMergedShuffleFile`. Bytes. */
  get minChunkSizeInMergedShuffleFile(): number {
    return this.#number("minChunkSizeInMergedShuffleFile");
  }

  /** `spark.shuffle.push.server.mergedIndexCacheSize`. Bytes. */
  get mergedIndexCacheSize(): number {
    return this.#number("mergedIndexCacheSize");
  }

  /** `spark.shuffle.push.server.ioExceptionsThresholdDuringMerge`. */
  get ioExceptionsThresholdDuringMerge(): number {
    return this.#number("ioExceptionsThresholdDuringMerge");
  }

  /** `spark.shuffle.push.server.mergedShuffleCleaner.shutdown.timeout`. Milliseconds. */
  get mergedShuffleCleanerShutdownTimeoutMs(): number {
    return this.#number("mergedShuffleCleanerShutdownTimeoutMs");
  }

  #boolean(property: string): boolean {
    return this.#read(property) === true;
  }

  #number(property: string): number {
    const value = this.#read(property);
    invariant(typeof value === "number", `${property} is a number by the table`);
    return value;
  }

  #text(property: string): string {
    const value = this.#textOrNull(property);
    invariant(value !== null, `${property} has a default by the table`);
    return value;
  }

  #textOrNull(property: string): string | null {
    const value = this.#read(property);
    invariant(value === null || typeof value === "string", `${property} is text by the table`);
    return value;
  }

  #list(property: string): readonly string[] {
    const value = this.#read(property);
    invariant(typeof value === "object" && value !== null, `${property} is a list by the table`);
    return value;
  }

  #prefixed(property: string): Readonly<Record<string, string>> {
    const prefix = prefixOf(keyOf(property));
    const found = Object.entries(this.#values).filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(found.map(([name, text]) => [name.slice(prefix.length), text]));
  }

  #entriesOfPrefix(key: ConfKey): ConfEntry[] {
    return Object.entries(this.#prefixed(key.property)).map(([rest, text]) => {
      const name = prefixOf(key) + rest;
      return { name, text, value: text, origin: "set", problem: null };
    });
  }

  #read(property: string): ConfValue {
    const key = keyOf(property);
    return readConfValue(key, this.#nameOf(key), this.#textOf(key).text);
  }

  #textOf(key: ConfKey): { readonly text: string | null; readonly isSet: boolean } {
    const fixed = key.fixedFor?.[this.module];
    if (fixed !== undefined) return { text: fixed, isSet: false };
    const name = this.#nameOf(key);
    const text = this.#values[name] ?? this.#values[rpcNameOf(name)];
    if (text !== undefined) return { text, isSet: true };
    const source = key.defaultFrom === undefined ? undefined : KEYS_BY_NAME.get(key.defaultFrom);
    return source === undefined ? { text: key.default, isSet: false } : this.#textOf(source);
  }

  #nameOf(key: ConfKey): string {
    return key.name.replace("<m>", this.module);
  }
}

function keyOf(property: string): ConfKey {
  const key = KEYS_BY_PROPERTY.get(property);
  invariant(key !== undefined, `${property} is in the table`);
  return key;
}

/** Downloads of files go by the settings of RPC where they have none of their own. */
function rpcNameOf(name: string): string {
  return name.replace(/^spark\.files\.io\./, "spark.rpc.io.");
}

function prefixOf(key: ConfKey): string {
  return key.name.slice(0, -"*".length);
}
