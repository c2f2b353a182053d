/** An event loop of its own for a module: a worker thread of Node. */
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  type Transferable,
  Worker,
  workerData,
} from "node:worker_threads";

/** One end of a pipe between two event loops, which keeps the order of what is posted. */
export interface LoopPort {
  /** `message` is cloned; the buffers in `transfer` are moved instead. */
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Call once; nothing that came before is lost. */
  onMessage(listener: (message: unknown) => void): void;
  /** Nothing more is heard, and the pipe keeps no loop alive. */
  close(): void;
}

/** The two pipes between a thread and its owner. */
export interface LoopPipes {
  /** For whoever starts and ends threads. */
  readonly life: LoopPort;
  /** For what the thread does. */
  readonly line: LoopPort;
}

/** A thread that runs a module. */
export interface LoopThread extends LoopPipes {
  /** Resolves when the thread is gone, to what ended it, or null. */
  readonly exited: Promise<Error | null>;
  /** Ends the thread now. */
  terminate(): void;
}

interface ThreadData {
  readonly data: unknown;
  readonly line: MessagePort;
}

/** Starts a module on an event loop of its own. `data` is cloned. */
export function startLoopThread(entry: URL, data: unknown): LoopThread {
  const { port1, port2 } = new MessageChannel();
  const threadData: ThreadData = { data, line: port2 };
  const worker = new Worker(entry, {
    workerData: threadData,
    transferList: [port2],
    // Node would warn of each descriptor that is closed and was opened by a call of our own.
    trackUnmanagedFds: false,
  });
  const life: LoopPort = {
    post: (message, transfer = []) => worker.postMessage(message, transfer as Transferable[]),
    onMessage: (listener) => void worker.on("message", listener),
    close: () => worker.unref(),
  };
  const terminate = (): void => void worker.terminate();
  return { life, line: portOf(port1), exited: exitOf(worker), terminate };
}

/** Inside of a thread that `startLoopThread` started; null elsewhere. */
export function ownLoopThread(): (LoopPipes & { readonly data: unknown }) | null {
  if (parentPort === null) return null;
  const { data, line } = workerData as ThreadData;
  return { data, life: portOf(parentPort), line: portOf(line) };
}

function portOf(port: MessagePort): LoopPort {
  return {
    post: (message, transfer = []) => port.postMessage(message, transfer as Transferable[]),
    onMessage: (listener) => void port.on("message", listener),
    close: () => port.close(),
  };
}

function exitOf(worker: Worker): Promise<Error | null> {
  const { promise, resolve } = Promise.withResolvers<Error | null>();
  // An error is followed by the exit, which then adds nothing.
  worker.on("error", (error: unknown) => {
    resolve(error instanceof Error ? error : new Error(String(error)));
  });
  worker.on("exit", (code) => {
    resolve(code === 0 ? null : new Error(`the thread exited with code ${code}`));
  });
  return promise;
}
