import type { RpcMessage } from "../message/rpc-message.ts";
import type { RpcError } from "../rpc-error.ts";

/** Takes what came of a message; exactly one of the two is called, once, in any turn. */
export interface Outcome<Reply> {
  resolve(reply: Reply): void;
  reject(error: RpcError): void;
}

/** One message to be brought to an endpoint. */
export interface Delivery<Request, Reply> {
  readonly endpoint: string;
  readonly message: RpcMessage<Request, Reply>;
  readonly request: Request;
  /** The outcome is that the endpoint's inbox took it; `Reply` is void then. */
  readonly isOneWay: boolean;
  readonly outcome: Outcome<Reply>;
}

/** Brings messages to the endpoints of one environment, in the order in which they are given. */
export interface Courier {
  /** Never throws. Gives the way to stop waiting: the outcome is not told afterwards. */
  deliver<Request, Reply>(delivery: Delivery<Request, Reply>): () => void;
}
