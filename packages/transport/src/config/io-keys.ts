import type { ConfKey } from "./conf-key.ts";

/** Keys about sockets, time limits and retries. */
export const IO_KEYS: readonly ConfKey[] = [
  {
    property: "ioModeDefault",
    name: "spark.io.mode.default",
    type: "choice",
    choices: ["NIO", "EPOLL", "KQUEUE", "AUTO"],
    default: "AUTO",
    since: "4.1.0",
    doc:
      "Default of io.mode for every module. Node has one kind of I/O: the value is checked and " +
      "has no effect.",
  },
  {
    property: "ioMode",
    name: "spark.<m>.io.mode",
    type: "choice",
    choices: ["NIO", "EPOLL", "KQUEUE", "AUTO"],
    default: "AUTO",
    defaultFrom: "spark.io.mode.default",
    since: null,
    doc: "Kind of I/O on the JVM. Checked and without effect here.",
  },
  {
    property: "preferDirectBufs",
    name: "spark.<m>.io.preferDirectBufs",
    type: "boolean",
    default: "true",
    since: "1.2.0",
    doc:
      "Buffers outside the heap when allocators are not shared. Without effect: Node's always " +
      "are.",
  },
  {
    property: "sharedPreferDirectBufs",
    name: "spark.network.io.preferDirectBufs",
    type: "boolean",
    default: "true",
    since: "3.0.0",
    doc: "Buffers outside the heap when allocators are shared. Without effect: Node's always are.",
  },
  {
    property: "sharedByteBufAllocators",
    name: "spark.network.sharedByteBufAllocators.enabled",
    type: "boolean",
    default: "true",
    since: null,
    doc: "One allocator for all servers and one for all clients of a process. Without effect here.",
  },
  {
    property: "networkTimeoutMs",
    name: "spark.network.timeout",
    type: "seconds",
    min: 0,
    default: "120s",
    since: "1.3.0",
    doc: "Default of the connection time-out.",
  },
  {
    property: "connectionTimeoutMs",
    name: "spark.<m>.io.connectionTimeout",
    type: "seconds",
    min: 0,
    default: "120s",
    defaultFrom: "spark.network.timeout",
    since: "1.2.0",
    doc:
      "Closes a connection on which requests are outstanding and nothing moves; limits the TLS " +
      "handshake. 0 turns it off.",
  },
  {
    property: "connectionCreationTimeoutMs",
    name: "spark.<m>.io.connectionCreationTimeout",
    type: "seconds",
    min: 0,
    default: "120s",
    defaultFrom: "spark.<m>.io.connectionTimeout",
    since: "3.2.0",
    doc: "How long establishing a connection may take. 0 waits as long as the system does.",
  },
  {
    property: "backLog",
    name: "spark.<m>.io.backLog",
    type: "int",
    default: "-1",
    since: "1.1.1",
    doc: "Length of the accept queue; below 1 leaves it to the system.",
  },
  {
    property: "numConnectionsPerPeer",
    name: "spark.<m>.io.numConnectionsPerPeer",
    type: "int",
    min: 1,
    fixedFor: { rpc: "1" },
    default: "1",
    since: "1.2.1",
    doc: "Connections that a pool keeps to one address. Module rpc always has one.",
  },
  {
    property: "serverThreads",
    name: "spark.<m>.io.serverThreads",
    type: "int",
    min: 0,
    default: "0",
    since: null,
    doc:
      "Threads for serving on the JVM; 0 means twice the processors. Servers here read it as " +
      "event loops where they support several.",
  },
  {
    property: "clientThreads",
    name: "spark.<m>.io.clientThreads",
    type: "int",
    min: 0,
    default: "0",
    since: null,
    doc: "Threads for requesting on the JVM. Without effect: one event loop serves all clients.",
  },
  {
    property: "receiveBuffer",
    name: "spark.<m>.io.receiveBuffer",
    type: "int",
    unit: "bytes",
    default: "-1",
    since: null,
    doc:
      "Receive buffer of a socket; below 1 leaves it to the system. Node cannot set it: without " +
      "effect.",
  },
  {
    property: "sendBuffer",
    name: "spark.<m>.io.sendBuffer",
    type: "int",
    unit: "bytes",
    default: "-1",
    since: null,
    doc:
      "Send buffer of a socket; below 1 leaves it to the system. Node cannot set it: without " +
      "effect.",
  },
  {
    property: "enableTcpKeepAlive",
    name: "spark.<m>.io.enableTcpKeepAlive",
    type: "boolean",
    default: "false",
    since: null,
    doc: "TCP keep-alive of accepted connections. Connections that we open always have it.",
  },
  {
    property: "busyPollMicros",
    name: "bm.<m>.io.busyPollMicros",
    type: "int",
    unit: "us",
    min: 0,
    max: 1000,
    default: "100",
    since: null,
    doc:
      "For how long after a write the event loop looks for answers without going to sleep, while " +
      "only one connection writes and its answers come in time; 0 turns it off, as a single core " +
      "does. On virtual machines single small requests take a quarter of the time.",
  },
  {
    property: "maxRetries",
    name: "spark.<m>.io.maxRetries",
    type: "int",
    default: "3",
    since: "1.2.0",
    doc: "How often a block transfer is tried again after an I/O error; 0 never.",
  },
  {
    property: "retryWaitMs",
    name: "spark.<m>.io.retryWait",
    type: "seconds",
    min: 0,
    default: "5s",
    since: "1.2.1",
    doc:
      "Pause before such a retry. After a failed connect, callers that ask for it fail at once " +
      "for 95 % of this time.",
  },
  {
    property: "lazyFd",
    name: "spark.<m>.io.lazyFD",
    type: "boolean",
    default: "true",
    since: null,
    doc:
      "On the JVM: open a file when its bytes are due. Here a file is always opened and " +
      "measured before anything is sent.",
  },
  {
    property: "enableVerboseMetrics",
    name: "spark.<m>.io.enableVerboseMetrics",
    type: "boolean",
    default: "false",
    since: null,
    doc: "Metrics of the JVM's buffer arenas. Without effect here.",
  },
  {
    property: "portMaxRetries",
    name: "spark.port.maxRetries",
    type: "int",
    unit: "ports",
    default: "16",
    since: "1.1.1",
    doc: "How many following ports are tried when one is in use.",
  },
  {
    property: "memoryMapThreshold",
    name: "spark.storage.memoryMapThreshold",
    type: "intBytes",
    default: "2m",
    since: "0.9.2",
    doc:
      "On the JVM: files of at least this size are mapped when read into memory. Without effect " +
      "here.",
  },
  {
    property: "recreateWorkerGroupOnDeadEventLoop",
    name: "spark.network.recreateWorkerGroupOnDeadEventLoop",
    type: "boolean",
    default: "true",
    since: "4.3.0",
    doc: "On the JVM: replace an event loop that died. Without effect here.",
  },
];
