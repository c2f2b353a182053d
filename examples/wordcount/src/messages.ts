/** What the driver and its executors say to each other about tasks. */
import { defineMessage, type MessageCodec, type RpcMessage } from "@bm/rpc";
import type { InputSplit } from "./input.ts";
import type { JobShape } from "./shuffle.ts";

/** Name of the driver's endpoint. */
export const DRIVER_ENDPOINT = "WordCountDriver";
/** Name of an executor's endpoint. */
export const EXECUTOR_ENDPOINT = "WordCountExecutor";

/** An executor is ready for tasks at this address. */
export interface ExecutorReady {
  readonly executorId: string;
  readonly pid: number;
  readonly host: string;
  readonly port: number;
}

/** Count the words of one split and leave them, partitioned, for the reducers. */
export interface RunMap {
  readonly shape: JobShape;
  readonly mapIndex: number;
  /** Unique among all attempts of all map tasks. */
  readonly mapId: number;
  readonly split: InputSplit;
}

/** Figures of a map task. */
export interface MapDone {
  readonly words: number;
  readonly bytesWritten: number;
}

/** Sum up one partition and keep the result as a block. */
export interface RunReduce {
  readonly shape: JobShape;
  readonly partition: number;
  readonly attempt: number;
  /** Of the driver's map output tracker: a higher one than known makes older knowledge void. */
  readonly epoch: number;
}

/** What became of a reduce task. A map output that is gone is news for the scheduler, not an error. */
export type ReduceOutcome =
  | {
      readonly kind: "done";
      readonly resultBlock: string;
      readonly socketBytes: number;
      readonly localBytes: number;
    }
  | {
      readonly kind: "fetchFailed";
      readonly detail: string;
      /** Null when the tracker knows of no place at all. */
      readonly mapIndex: number | null;
    };

/** Peak resident memory of the process in bytes. */
export interface ProcessReport {
  readonly peakBytes: number;
}

/** From an executor to the driver, from time to time: a driver that was started again knows nobody. */
export const executorReady: RpcMessage<ExecutorReady, void> = defineMessage({
  type: "ExecutorReady",
  request: json<ExecutorReady>(),
});

/** From the driver to an executor. */
export const runMap: RpcMessage<RunMap, MapDone> = defineMessage({
  type: "RunMap",
  request: json<RunMap>(),
  reply: json<MapDone>(),
});

/** From the driver to an executor. */
export const runReduce: RpcMessage<RunReduce, ReduceOutcome> = defineMessage({
  type: "RunReduce",
  request: json<RunReduce>(),
  reply: json<ReduceOutcome>(),
});

/** From the driver to an executor. */
export const reportProcess: RpcMessage<void, ProcessReport> = defineMessage({
  type: "ReportProcess",
  reply: json<ProcessReport>(),
});

/** Any encoding will do for messages of one's own; bulk data never travels inside them. */
function json<Value>(): MessageCodec<Value> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Value,
  };
}
