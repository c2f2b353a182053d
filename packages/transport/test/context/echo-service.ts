import {
  BytesManagedBuffer,
  type ChunkSource,
  type MergedBlockMetaQuery,
  type MergedBlockMetaReplyCallback,
  nodePlatform,
  OneForOneStreamManager,
  type Platform,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  type TransportClient,
  TransportConf,
  TransportContext,
  type TransportContextOptions,
  TransportError,
  type TransportServer,
} from "../../src/index.ts";

/** Answers by command: `echo:…` gives the text back, `fail:…` refuses, `never` keeps silent. */
export class EchoHandler extends RpcHandler {
  readonly streamManager: OneForOneStreamManager;
  readonly oneWay: string[] = [];
  readonly uploads: { meta: string; bytes: number; end: string }[] = [];
  readonly clients: TransportClient[] = [];
  readonly ended: TransportClient[] = [];
  pending: RpcReplyCallback[] = [];

  constructor(platform: Platform) {
    super();
    this.streamManager = new OneForOneStreamManager(platform.random);
  }

  override receive(client: TransportClient, message: Uint8Array, reply: RpcReplyCallback): void {
    const text = Buffer.from(message).toString();
    if (text.startsWith("fail:")) {
      throw new TransportError("UNSUPPORTED", text.slice(5), {
        javaClass: "java.lang.UnsupportedOperationException",
      });
    }
    if (text === "never") this.pending.push(reply);
    else if (text === "ask-back") {
      client.sendRpc(Buffer.from("from the server")).then(
        (answer) => reply.onSuccess(Buffer.from(`client said ${Buffer.from(answer).toString()}`)),
        (error: unknown) => reply.onFailure(error as Error),
      );
    } else reply.onSuccess(Buffer.from(message));
  }

  override receiveOneWay(_client: TransportClient, message: Uint8Array): void {
    this.oneWay.push(Buffer.from(message).toString());
  }

  override receiveStream(_client: TransportClient, meta: Uint8Array): StreamCallbackWithId {
    const text = Buffer.from(meta).toString();
    if (text === "refuse") throw new TransportError("UNSUPPORTED", "no uploads of that kind");
    const upload = { meta: text, bytes: 0, end: "open" };
    this.uploads.push(upload);
    return {
      id: text,
      onData: (_id, bytes) => {
        if (text === "fail-in-data") throw new Error("disk full");
        upload.bytes += bytes.length;
      },
      onComplete: () => {
        if (text === "fail-at-end") throw new Error("cannot commit");
        upload.end = "complete";
      },
      onFailure: () => void (upload.end = "failed"),
      completionResponse: () => Buffer.from(`got ${upload.bytes}`),
    };
  }

  override receiveMergedBlockMetaRequest(
    _client: TransportClient,
    request: MergedBlockMetaQuery,
    reply: MergedBlockMetaReplyCallback,
  ): void {
    reply.onSuccess(request.reduceId, Buffer.from(request.appId));
  }

  override channelActive(client: TransportClient): void {
    this.clients.push(client);
  }

  override channelInactive(client: TransportClient): void {
    this.ended.push(client);
  }

  /** Waits for the connection of that number. */
  async clientOf(index: number): Promise<TransportClient> {
    for (;;) {
      const client = this.clients[index];
      if (client !== undefined) return client;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Registers chunks for the only client that is connected. */
  register(chunks: ChunkSource): number {
    const [client] = this.clients;
    if (client === undefined) throw new Error("no client yet");
    return this.streamManager.registerStream(null, chunks, client.channel);
  }
}

/** One server and one client of it, over real sockets. */
export interface Pair {
  readonly handler: EchoHandler;
  readonly clientHandler: EchoHandler;
  readonly server: TransportServer;
  readonly client: TransportClient;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startPair(
  values: Readonly<Record<string, string>> = {},
  options: Partial<TransportContextOptions> = {},
): Promise<Pair> {
  const platform = options.platform ?? nodePlatform();
  const conf = new TransportConf("shuffle", values);
  const handler = new EchoHandler(platform);
  const clientHandler = new EchoHandler(platform);
  const serving = new TransportContext({ conf, rpcHandler: handler, ...options });
  const calling = new TransportContext({ conf, rpcHandler: clientHandler, ...options });
  const server = await serving.createServer({ host: "127.0.0.1" });
  const factory = calling.createClientFactory();
  const client = await factory.createClient("127.0.0.1", server.port);
  return {
    handler,
    clientHandler,
    server,
    client,
    async [Symbol.asyncDispose]() {
      await factory.close();
      await server.close({ signal: AbortSignal.timeout(2000) });
    },
  };
}

export function memoryChunks(...texts: string[]): ChunkSource {
  return {
    count: texts.length,
    open: (index) => new BytesManagedBuffer(Buffer.from(texts[index] ?? "")),
  };
}

/** Bytes that differ at every position that matters for a mix-up. */
export function pattern(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let position = 0; position < bytes; position += 1) {
    buffer[position] = position ^ (position >>> 8) ^ (position >>> 16);
  }
  return buffer;
}
