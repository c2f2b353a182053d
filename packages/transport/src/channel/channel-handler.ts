import type { OpenFile } from "../platform/platform.ts";
import type { Channel } from "./channel.ts";

/** Called once when a write ended: with null when every byte was taken, else with the reason. */
export type WriteDone = ((error: Error | null) => void) | null;

/**
 * One step of a pipeline. Every method is optional; a pipeline skips handlers for the events that
 * they do not implement. Inbound events travel from the socket to the last handler, writes the
 * other way. A handler passes an event on by calling the method of the same meaning on its context.
 *
 * Everything runs in the turn in which it happens; see D2 of the architecture notes.
 */
export interface ChannelHandler {
  handlerAdded?(context: HandlerContext): void;
  handlerRemoved?(context: HandlerContext): void;
  /** The connection is up and the pipeline is complete. */
  channelActive?(context: HandlerContext): void;
  /** The connection is gone. The last event, exactly once. */
  channelInactive?(context: HandlerContext): void;
  /** Bytes at the front of the pipeline (borrowed), frames or messages further back. */
  channelRead?(context: HandlerContext, message: unknown): void;
  /**
   * Where the next bytes belong, if known. Asked only of the first handler that reads, because bytes
   * for the others do not exist before it has seen them.
   */
  readTarget?(): Uint8Array | null;
  exceptionCaught?(context: HandlerContext, error: Error): void;
  userEventTriggered?(context: HandlerContext, event: unknown): void;
  /** `channel.isWritable` changed. */
  writabilityChanged?(context: HandlerContext): void;
  /** Messages at the back of the pipeline, frames and then `Uint8Array[]` further to the front. */
  write?(context: HandlerContext, message: unknown, done: WriteDone): void;
}

/** A handler's place in its pipeline. */
export interface HandlerContext {
  readonly name: string;
  readonly handler: ChannelHandler;
  readonly channel: Channel;
  fireChannelActive(): void;
  fireChannelInactive(): void;
  fireChannelRead(message: unknown): void;
  fireExceptionCaught(error: Error): void;
  fireUserEventTriggered(event: unknown): void;
  fireWritabilityChanged(): void;
  write(message: unknown, done: WriteDone): void;
  /**
   * As `sendFile` of Socket, for a handler whose bytes pass no other one; 0 where one lies between it and
   * the socket, which has to see them.
   */
  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number;
}
