/** One server of our peer: the twin of ../../java/src/main/java/bm/interop/PeerServer.java. */
import {
  TransportConf,
  TransportContext,
  TransportError,
  type TransportServer,
} from "@bm/transport";
import { ScriptedHandler } from "./scripted-handler.ts";

/** What a server is made of. */
export interface OurServerOptions {
  readonly conf: Readonly<Record<string, string>>;
  readonly file: string;
  readonly memory: Buffer;
  readonly closesIdle: boolean;
  readonly isOneForOne: boolean;
}

/** See the file comment. */
export class OurServer {
  readonly #handler: ScriptedHandler;
  readonly #server: TransportServer;

  private constructor(handler: ScriptedHandler, server: TransportServer) {
    this.#handler = handler;
    this.#server = server;
  }

  static async listen(options: OurServerOptions): Promise<OurServer> {
    const { closesIdle, conf, file, isOneForOne, memory } = options;
    const handler = new ScriptedHandler(file, memory, isOneForOne);
    const context = new TransportContext({
      conf: new TransportConf("shuffle", conf),
      rpcHandler: handler,
      closeIdleConnections: closesIdle,
    });
    return new OurServer(handler, await context.createServer({ host: "127.0.0.1" }));
  }

  get port(): number {
    return this.#server.port;
  }

  report(): Record<string, number> {
    const { connections, heldCount, lookups, oneWayMessages, requests } = this.#handler;
    const { uploadedBytes, uploadsBegun, uploadsCompleted, uploadsFailed } = this.#handler;
    return {
      connections: connections.size,
      requests,
      lookups,
      held: heldCount,
      oneWayMessages,
      uploadedBytes,
      uploadsBegun,
      uploadsCompleted,
      uploadsFailed,
    };
  }

  /** Ends every accepted connection; new ones are still taken. */
  cut(): void {
    const reason = new TransportError("CLOSED", "the connections are cut");
    for (const client of this.#handler.connections) client.abort(reason);
  }

  read(isReading: boolean): void {
    if (isReading) this.#handler.goOnReading();
    else for (const client of this.#handler.connections) this.#handler.stopReading(client);
  }

  release(): void {
    this.#handler.release();
  }

  /** Gives requests in progress no time. */
  async close(): Promise<void> {
    await this.#server.close({ signal: AbortSignal.abort() });
  }
}
