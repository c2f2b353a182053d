/**
 * One stream on its way through an encoder or a decoder, piece by piece and without a promise.
 *
 *     for (const piece of stream.push(bytes)) use(piece);   // as often as bytes come
 *     for (const piece of stream.finish()) use(piece);      // once, at the end
 *
 * How the input is cut does not change the output's bytes, only how they are cut. Pieces belong to
 * the caller. After a failure the stream is lost: start a new one.
 */
export interface CodecStream {
  /**
   * Takes the next bytes of the input and gives what is ready, often nothing. A decoder works while
   * its pieces are taken, so that no more than one block is held: take them all before the next call,
   * and leave `bytes` unchanged until then.
   *
   * @throws CodecError STREAM_STATE_INVALID, and while pieces are taken what is wrong with the input.
   */
  push(bytes: Uint8Array): Iterable<Uint8Array>;

  /**
   * Ends the input and gives what is left.
   *
   * @throws CodecError STREAM_TRUNCATED (decoders) or STREAM_STATE_INVALID.
   */
  finish(): readonly Uint8Array[];
}

/** Limits and rules for a decoder. */
export interface DecodeOptions {
  /**
   * Largest number of decompressed bytes to accept. Default: 1 GiB where the whole result is one
   * array, no limit where it comes in pieces.
   */
  readonly maxBytes?: number;
  /**
   * Whether input may end without an end mark. Spark's readers accept that, so a stream that lost its
   * tail between two blocks passes for whole; without this option it is STREAM_TRUNCATED. Default: false.
   */
  readonly allowMissingEnd?: boolean;
}
