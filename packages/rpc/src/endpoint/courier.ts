import type { RpcMessage } from "../message/rpc-message.ts";
import type { RpcError } from "../rpc-error.ts";

/** Takes what came of a message; exactly one of the two is called, once, in any turn. */
export interface Outcome<Reply> {
  resolve(reply: Reply): void;
  reject(error: RpcError): void;
}

/** One message to be brought to an endpoint. */
export interface Delivery<Request, Reply> {
  readonly message: RpcMessage<Request, Reply>;
  readonly request: Request;
  /** The outcome is that the endpoint's inbox took it; `Reply` is void then. */
  readonly isOneWay: boolean;
  /** The handler is to learn of it when the sender stops waiting. */
  readonly canBeGivenUp: boolean;
  readonly outcome: Outcome<Reply>;
}

/** A message under way. */
export interface DeliveryInProgress {
  /** Stops waiting: the outcome is not told afterwards. */
  giveUp(): void;
}

/** Brings messages to one endpoint, in the order in which they are given. */
export interface Courier {
  /** Never throws. The outcome may be told before it returns. */
  deliver<Request, Reply>(delivery: Delivery<Request, Reply>): DeliveryInProgress;
}
