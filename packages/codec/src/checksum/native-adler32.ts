/**
 * Adler-32 of the zlib inside of Node, which uses the wide registers of the processor: 24 GB/s where the
 * loop in JavaScript makes 1.7. Node exports the function for add-ons and has no API for it, so
 * it is called through koffi, which is optional. `BM_NATIVE=0` does without.
 */
import { createRequire } from "node:module";

/** Goes on with `value`, an Adler-32 so far, over `bytes`. */
export type AdlerStep = (value: number, bytes: Uint8Array) => number;

/** What is used of koffi. */
interface Koffi {
  load(library: null): {
    func(name: string, result: string, parameters: readonly string[]): Adler32Function;
  };
}

type Adler32Function = (value: number, bytes: Uint8Array | null, length: number) => number;

let loaded: AdlerStep | null | undefined;

/** Null where it cannot be called. Loaded when it is first asked for. */
export function nativeAdler32(): AdlerStep | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): AdlerStep | null {
  try {
    if (process.env["BM_NATIVE"] === "0") return null;
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const adler32 = koffi.load(null).func("adler32", "ulong", ["ulong", "void *", "uint"]);
    // Asked for the value of no bytes, zlib looks at what the processor can do. Until then, and until
    // something is compressed, it stays with its plain loop of 3 GB/s.
    adler32(0, null, 0);
    return (value, bytes) => adler32(value, bytes, bytes.length);
  } catch {
    return null;
  }
}
