/** An answer that comes while the endpoint goes on with its next messages. */
export class LaterReply<Reply> {
  readonly promise: Promise<Reply>;

  constructor(promise: Promise<Reply>) {
    this.promise = promise;
    // Whoever answers looks at it in a later turn; until then a rejection is not unhandled.
    promise.catch(() => {});
  }
}

/**
 * Lets a handler answer when `promise` settles without holding up the messages behind it. Use it to
 * wait for other endpoints: an endpoint that holds its inbox while it waits can wait for itself.
 */
export function replyLater<Reply>(promise: Promise<Reply>): LaterReply<Reply> {
  return new LaterReply(promise);
}
