import { ownLoopThread } from "../platform/node-loop-thread.ts";
import { TransportError } from "../transport-error.ts";
import type { LoopEvent, LoopStart } from "./loop-life.ts";
import { LoopLine } from "./loop-line.ts";

/** What a module that `ServerLoops` runs has to work with. */
export interface ServerLoop {
  /** Where to listen, as `createServer` takes it. */
  readonly address: Pick<LoopStart, "host" | "port" | "reusePort">;
  /** A clone of what was given to `ServerLoops.start`. */
  readonly data: unknown;
  /** To the owner of the loops. */
  readonly line: LoopLine;
}

/** What listens in a loop: a `TransportServer`, or something around one. */
export interface LoopServer {
  readonly port: number;
  /** Lets requests be answered, then ends. */
  close(): Promise<void>;
}

/**
 * The body of a module that `ServerLoops` runs: `listen` starts the server of this loop. When the
 * owner says so the server is closed, and with it the thread ends.
 * @throws TransportError UNSUPPORTED outside of such a thread.
 */
export function runServerLoop(listen: (loop: ServerLoop) => Promise<LoopServer>): void {
  const thread = ownLoopThread();
  if (thread === null) throw new TransportError("UNSUPPORTED", "only ServerLoops runs this module");
  const { life } = thread;
  const { data, ...address } = thread.data as LoopStart;
  const told = Promise.withResolvers<void>();
  life.onMessage(() => told.resolve());
  const serve = async (): Promise<void> => {
    const line = new LoopLine(thread.line);
    try {
      const server = await listen({ address, data, line });
      life.post({ kind: "listening", port: server.port } satisfies LoopEvent);
      await told.promise;
      await server.close();
    } catch (error) {
      life.post({ kind: "failed", message: String(error) } satisfies LoopEvent);
    }
    line.close();
    life.close();
  };
  void serve();
}
