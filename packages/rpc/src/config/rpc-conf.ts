import { parseByteSize, parseDurationMs } from "@bm/transport";
import { RpcError } from "../rpc-error.ts";

/** Configuration texts by key, with Spark's names and units. */
export type RpcConfValues = Readonly<Record<string, string>>;

const INT_MAX = 2 ** 31 - 1;

/** The keys that this package reads; `spark.rpc.io.*` is read by the transport. */
export class RpcConf {
  /** `spark.rpc.askTimeout`, else `spark.network.timeout`, else 120 s. */
  readonly askTimeoutMs: number;
  /** `spark.rpc.numRetries`: attempts in all. Default: 3. */
  readonly askAttempts: number;
  /** `spark.rpc.retry.wait`. Default: 3 s. */
  readonly retryWaitMs: number;
  /** `spark.rpc.message.maxSize`, in MiB. Default: 128. */
  readonly messageBytesMax: number;

  /** @throws RpcError OPTION_INVALID */
  constructor(values: RpcConfValues = {}) {
    const timeoutKeys = ["spark.rpc.askTimeout", "spark.network.timeout"];
    const timeoutKey = timeoutKeys.find((key) => values[key] !== undefined);
    const timeoutText = timeoutKey === undefined ? "120s" : (values[timeoutKey] ?? "");
    this.askTimeoutMs = duration(timeoutKey ?? "spark.network.timeout", timeoutText);

    this.askAttempts = integer(values, "spark.rpc.numRetries", 3);
    const waitKey = "spark.rpc.retry.wait";
    this.retryWaitMs = duration(waitKey, values[waitKey] ?? "3s");
    this.messageBytesMax = messageBytes(values);
  }
}

function messageBytes(values: RpcConfValues): number {
  const key = "spark.rpc.message.maxSize";
  const bytes = checked(key, () => parseByteSize(values[key] ?? "128", "MiB"));
  if (bytes >= 1 && bytes <= INT_MAX) return bytes;
  throw new RpcError("OPTION_INVALID", `${key}: ${bytes} bytes`);
}

/** A bare number is in seconds. */
function duration(key: string, text: string): number {
  const durationMs = checked(key, () => parseDurationMs(text, "s"));
  if (durationMs > 0) return durationMs;
  throw new RpcError("OPTION_INVALID", `${key}: ${text} is no positive time`);
}

function integer(values: RpcConfValues, key: string, fallback: number): number {
  const text = values[key];
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RpcError("OPTION_INVALID", `${key}: ${text} is no positive integer`);
}

function checked<Value>(key: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (cause) {
    throw new RpcError("OPTION_INVALID", key, { cause });
  }
}
