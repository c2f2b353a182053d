import type { ConfKey } from "./conf-key.ts";

/** Keys about serving shuffle blocks; read under these names whatever the module is. */
export const SHUFFLE_KEYS: readonly ConfKey[] = [
  {
    property: "maxChunksBeingTransferred",
    name: "spark.shuffle.maxChunksBeingTransferred",
    type: "long",
    unit: "chunks",
    default: "9223372036854775807",
    since: "2.3.0",
    doc:
      "Chunks on their way to all peers above which new requests are refused by closing their " +
      "connection. Read under this name for every module.",
  },
  {
    property: "answersInFlightBytes",
    name: "bm.<m>.answersInFlight.size",
    type: "bytes",
    min: 0,
    default: "256m",
    since: null,
    doc:
      "Memory for chunks and streams on their way to all peers. What does not fit waits, peers in " +
      "turns; one answer a connection always goes.",
  },
  {
    property: "chunkFetchHandlerThreadsPercent",
    name: "spark.shuffle.server.chunkFetchHandlerThreadsPercent",
    type: "int",
    unit: "%",
    min: 0,
    default: "0",
    since: null,
    doc:
      "On the JVM: separate threads for chunk requests, in percent of serverThreads. Without " +
      "effect here: requests never block the event loop.",
  },
  {
    property: "finalizeShuffleMergeThreadsPercent",
    name: "spark.shuffle.server.finalizeShuffleMergeThreadsPercent",
    type: "int",
    unit: "%",
    min: 0,
    default: "0",
    since: null,
    doc: "On the JVM: separate threads for finishing merges. Without effect here.",
  },
  {
    property: "useOldFetchProtocol",
    name: "spark.shuffle.useOldFetchProtocol",
    type: "boolean",
    default: "false",
    since: "3.0.0",
    doc: "Ask for blocks with the message that Spark 2 understands.",
  },
  {
    property: "saslRetriesEnabled",
    name: "spark.shuffle.sasl.enableRetries",
    type: "boolean",
    default: "false",
    since: null,
    doc: "Try block transfers again after a time-out of SASL.",
  },
  {
    property: "mergedShuffleFileManagerImpl",
    name: "spark.shuffle.push.server.mergedShuffleFileManagerImpl",
    type: "text",
    default: "org.apache.spark.network.shuffle.NoOpMergedShuffleFileManager",
    since: "3.2.0",
    doc: "Class that serves push-based shuffle; the default serves none.",
  },
  {
    property: "minChunkSizeInMergedShuffleFile",
    name: "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile",
    type: "intBytes",
    default: "2m",
    since: "3.2.0",
    doc: "Least size of a chunk of a merged shuffle file.",
  },
  {
    property: "mergedIndexCacheSize",
    name: "spark.shuffle.push.server.mergedIndexCacheSize",
    type: "bytes",
    default: "100m",
    since: "3.2.0",
    doc: "Memory for the index files of merged shuffles.",
  },
  {
    property: "ioExceptionsThresholdDuringMerge",
    name: "spark.shuffle.push.server.ioExceptionsThresholdDuringMerge",
    type: "int",
    default: "4",
    since: null,
    doc: "I/O errors after which a merged file takes no more blocks.",
  },
  {
    property: "mergedShuffleCleanerShutdownTimeoutMs",
    name: "spark.shuffle.push.server.mergedShuffleCleaner.shutdown.timeout",
    type: "seconds",
    min: 0,
    default: "60s",
    since: null,
    doc: "How long closing waits for the deletion of merged files.",
  },
];
