/**
 * Declares what travels: the type of a message, how its request is written and read, and how its
 * answer is. Both sides import the same declaration, so callers and handlers are typed by it.
 */

/** Turns values of one type into bytes and back. */
export interface MessageCodec<Value> {
  /** The bytes are handed over: they must not change afterwards. */
  encode(value: Value): Uint8Array;
  /**
   * The bytes are handed over; the value may have views on them.
   * @throws RpcError MESSAGE_MALFORMED
   */
  decode(bytes: Uint8Array): Value;
}

/** The declaration of one message. `Reply` is `void` where nothing but its success is answered. */
export interface RpcMessage<Request, Reply> {
  /** Distinguishes the messages of one endpoint. */
  readonly type: string;
  readonly request: MessageCodec<Request>;
  readonly reply: MessageCodec<Reply>;
}

/** What {@link defineMessage} takes. */
export interface MessageDefinition<Request, Reply> {
  readonly type: string;
  /** Default: a message without fields. */
  readonly request?: MessageCodec<Request>;
  /** Default: an answer without fields. */
  readonly reply?: MessageCodec<Reply>;
}

const NO_BYTES = new Uint8Array(0);

/** A message or answer without fields. Bytes that a newer peer adds are ignored. */
export const emptyCodec: MessageCodec<void> = {
  encode: () => NO_BYTES,
  decode: () => {},
};

/** Declares a message. */
export function defineMessage<Request = void, Reply = void>(
  definition: MessageDefinition<Request, Reply>,
): RpcMessage<Request, Reply> {
  const { type, request, reply } = definition;
  return {
    type,
    // Left out only where the type argument is the default, void.
    request: request ?? (emptyCodec as MessageCodec<Request>),
    reply: reply ?? (emptyCodec as MessageCodec<Reply>),
  };
}
