import type { CodecStream } from "./codec-stream.ts";

/**
 * Sends the chunks of a source, such as a file or a response body, through an encoder or decoder. Reads
 * no further than its own reader does. A failure of either side ends it.
 *
 * @throws CodecError as the stream's `push` and `finish` do.
 */
export async function* transformChunks(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  stream: CodecStream,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) yield* stream.push(chunk);
  yield* stream.finish();
}
