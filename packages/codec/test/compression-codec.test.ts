import { describe, expect, it } from "vitest";
import { createCompressionCodec, Lz4BlockDecoder, transformChunks } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { chunksOf, lines } from "./inputs.ts";

const plain = lines(100_000);

describe("createCompressionCodec", () => {
  it.each(["lz4", "LZ4", "org.apache.spark.io.LZ4CompressionCodec"])("knows %s", (name) => {
    const codec = createCompressionCodec(name);
    expect(codec.name).toBe("lz4");
    const compressed = codec.compress(plain);
    expect(codec.decompress(compressed)).toEqual(plain);

    const encoder = codec.createEncoder();
    const pieces = chunksOf(plain, 999).flatMap((chunk) => [...encoder.push(chunk)]);
    expect(Buffer.concat([...pieces, ...encoder.finish()])).toEqual(compressed);

    const decoder = codec.createDecoder();
    expect(Buffer.concat([...decoder.push(compressed)])).toEqual(plain);
    expect(decoder.finish()).toEqual([]);
  });

  it("hands limits and rules on to its decoders", () => {
    const codec = createCompressionCodec("lz4");
    const compressed = codec.compress(plain);
    const options = { maxBytes: 10 };
    expect(failureOf(() => codec.decompress(compressed, options)).code).toBe("OUTPUT_TOO_LARGE");
    const decoder = codec.createDecoder(options);
    expect(failureOf(() => [...decoder.push(compressed)]).code).toBe("OUTPUT_TOO_LARGE");
    const cut = compressed.subarray(0, -1);
    expect(codec.decompress(cut, { allowMissingEnd: true })).toEqual(plain);
    expect(failureOf(() => codec.decompress(cut)).code).toBe("STREAM_TRUNCATED");
  });

  it("cuts blocks of the size that it was told", () => {
    const codec = createCompressionCodec("lz4", { lz4BlockBytes: 64 * 1024 });
    expect([...codec.createDecoder().push(codec.compress(plain))]).toHaveLength(2);
    const wrong = { lz4BlockBytes: 1 };
    expect(failureOf(() => createCompressionCodec("lz4", wrong)).code).toBe("OPTION_INVALID");
  });

  it.each(["snappy", "lzf", "zstd", "", "gzip", "toString", "org.apache.spark.io.Lz4"])(
    'refuses "%s" and names what there is',
    (name) => {
      const failure = failureOf(() => createCompressionCodec(name));
      expect(failure.code).toBe("CODEC_NOT_AVAILABLE");
      expect(failure.message).toContain(`"${name}"; available: lz4`);
    },
  );
});

describe("transformChunks", () => {
  const codec = createCompressionCodec("lz4");

  it("sends a source through an encoder and back through a decoder", async () => {
    const compressed = transformChunks(chunksOf(plain, 777), codec.createEncoder());
    const decoded = await collect(transformChunks(compressed, codec.createDecoder()));
    expect(Buffer.concat(decoded)).toEqual(plain);
  });

  it("fails where the decoder does", async () => {
    const cut = chunksOf(codec.compress(plain).subarray(0, -30), 1000);
    await expect(collect(transformChunks(cut, new Lz4BlockDecoder()))).rejects.toThrow(
      expect.objectContaining({ code: "STREAM_TRUNCATED" }),
    );
  });

  it("fails where the source does, without taking what came for the whole", async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield* chunksOf(plain, 1000).slice(0, 3);
      await Promise.reject(new Error("disk gone"));
    };
    const pieces = transformChunks(failing(), codec.createEncoder());
    await expect(collect(pieces)).rejects.toThrow("disk gone");
  });

  it("reads no further than its reader", async () => {
    let reads = 0;
    const source = function* (): Generator<Uint8Array> {
      for (const chunk of chunksOf(codec.compress(plain), 100)) {
        reads++;
        yield chunk;
      }
    };
    const pieces = transformChunks(source(), codec.createDecoder());
    await pieces.next();
    const readsForOneBlock = reads;
    expect(readsForOneBlock).toBeLessThan(200);
    await pieces.return();
    expect(reads).toBe(readsForOneBlock);
  });
});

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}
