import {
  type MergedBlockMetaQuery,
  type MergedBlockMetaReplyCallback,
  nodePlatform,
  OneForOneStreamManager,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  type TransportClient,
  TransportConf,
  TransportContext,
  type TransportServer,
} from "@bm/transport";
import {
  type BlockPushReturnCodeName,
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
  type PushBlockStream,
} from "../../src/index.ts";

type Answer = (
  message: BlockTransferMessage,
  client: TransportClient,
) => BlockTransferMessage | null;

/** A shuffle service that answers as it is told to, and notes what it was asked. */
export class ScriptedService extends RpcHandler {
  override readonly streamManager: OneForOneStreamManager;
  readonly messages: BlockTransferMessage[] = [];
  readonly pushed: Map<string, string> = new Map();
  readonly connections: Set<TransportClient> = new Set();
  /** Null stands for an empty answer; a throw for a failure. */
  answer: Answer = () => null;
  /** A code, or null to break the connection. */
  pushAnswer: (header: PushBlockStream) => BlockPushReturnCodeName | null = () => "SUCCESS";
  #server: TransportServer | null = null;

  constructor() {
    super();
    this.streamManager = new OneForOneStreamManager(nodePlatform().random);
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(): Promise<this> {
    const conf = new TransportConf("shuffle");
    this.#server = await new TransportContext({ conf, rpcHandler: this }).createServer({
      host: "127.0.0.1",
    });
    return this;
  }

  async stop(): Promise<void> {
    this.#server?.abort(new Error("the test is over"));
    await this.#server?.close();
  }

  override receive(client: TransportClient, bytes: Uint8Array, callback: RpcReplyCallback): void {
    const message = decodeBlockTransferMessage(bytes);
    this.messages.push(message);
    const answer = this.answer(message, client);
    callback.onSuccess(answer === null ? Buffer.of() : encodeBlockTransferMessage(answer));
  }

  override receiveStream(client: TransportClient, meta: Uint8Array): StreamCallbackWithId {
    const header = decodeBlockTransferMessage(meta) as PushBlockStream;
    this.messages.push(header);
    const { mapIndex, reduceId, shuffleId, shuffleMergeId } = header;
    const id = `shufflePush_${shuffleId}_${shuffleMergeId}_${mapIndex}_${reduceId}`;
    let content = "";
    let returnCode: BlockPushReturnCodeName = "SUCCESS";
    return {
      id,
      onData: (_id, bytes) => void (content += Buffer.from(bytes).toString()),
      onComplete: () => {
        const code = this.pushAnswer(header);
        if (code === null) client.abort(new Error("broken on purpose"));
        returnCode = code ?? "SUCCESS";
        if (code === "SUCCESS") this.pushed.set(id, content);
      },
      onFailure: () => {},
      completionResponse: () =>
        encodeBlockTransferMessage({
          type: "BlockPushReturnCode",
          returnCode,
          failureBlockId: returnCode === "SUCCESS" ? "" : id,
        }),
    };
  }

  override receiveMergedBlockMetaRequest(
    _client: TransportClient,
    query: MergedBlockMetaQuery,
    callback: MergedBlockMetaReplyCallback,
  ): void {
    callback.onSuccess(query.reduceId, Buffer.from(query.appId));
  }

  override channelActive(client: TransportClient): void {
    this.connections.add(client);
  }

  override channelInactive(client: TransportClient): void {
    this.connections.delete(client);
  }
}
