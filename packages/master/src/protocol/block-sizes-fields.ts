import { type BlockSizes, CompressedSizes, HighlyCompressedSizes } from "../tracker/block-sizes.ts";

/** The fields that hold sizes of map output, of two messages. */
export interface BlockSizesFields {
  readonly sizeCodes?: Uint8Array | null;
  readonly highlyCompressed?: Uint8Array | null;
}

const NO_BYTES = new Uint8Array(0);

/** Sizes as protobuf fields. */
export function sizesToWire(sizes: BlockSizes): {
  sizeCodes?: Uint8Array;
  highlyCompressed?: Uint8Array;
} {
  if (sizes.form === "compressed") return { sizeCodes: sizes.bytes() };
  return { highlyCompressed: sizes.toBytes() };
}

/** Sizes, with views on the fields. @throws RangeError, TransportError MESSAGE_MALFORMED */
export function sizesFromWire({ sizeCodes, highlyCompressed }: BlockSizesFields): BlockSizes {
  if (highlyCompressed) return HighlyCompressedSizes.read(highlyCompressed).sizes;
  return new CompressedSizes(sizeCodes ?? NO_BYTES);
}
