/**
 * Calls of Linux that Node does not have: opening a file whose path is in memory, reading bytes that are
 * in memory, and looking at an open file without asking whoever it comes from. The first two refuse
 * instead of waiting for a disk, and the last never does, so they may be made on the event loop.
 *
 * Made through koffi, which is optional: where it is not installed, or the system is another one, there
 * are no such calls, and all files are read through Node's thread pool. `BM_NATIVE=0` does the same.
 */
import { createRequire } from "node:module";
import { debuglog } from "node:util";
import { type FileStat } from "./platform.ts";
import { fileStatOf, STATX_BYTES } from "./statx.ts";

/** See the file comment. A descriptor of `open` is the caller's to close. */
export interface CachedCalls {
  /** A descriptor for reading, or -1: not in memory, or not there, or no regular way to open it. */
  open(path: string): number;
  /** Bytes read, fewer where the file or what is in memory ends; -1 when nothing is in memory. */
  read(descriptor: number, buffer: Uint8Array, position: number): number;
  /** Null when it cannot be looked at. A third of the time that `fstatSync` takes. */
  stat(descriptor: number): FileStat | null;
}

/** What is used of koffi. */
interface Koffi {
  load(library: null): {
    func(
      name: string,
      result: unknown,
      parameters: readonly unknown[],
    ): (...values: readonly unknown[]) => unknown;
  };
  address(buffer: Uint8Array): bigint;
}

/** Numbers of preadv2(2) and statx(2); that of openat2(2) is the same everywhere. */
const PREADV2: Readonly<Partial<Record<string, number>>> = { x64: 327, arm64: 286 };
const STATX: Readonly<Partial<Record<string, number>>> = { x64: 332, arm64: 291 };
const OPENAT2 = 437;

/** Reads what is in the page cache, else fails with EAGAIN. */
const RWF_NOWAIT = 8;
/** Opens what is in the cache of names, else fails with EAGAIN. */
const RESOLVE_CACHED = 0x20;
const AT_FDCWD = -100;
/** The descriptor itself, as it is known here. */
const AT_EMPTY_PATH = 0x1000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC_STATS = 0x7ff;
/**
 * O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK: a link may lead to another file system, and a pipe must not hold up
 * whoever opens it. All have the same value on both architectures but O_NOFOLLOW.
 */
const OPEN_FLAGS: Readonly<Partial<Record<string, number>>> = {
  x64: 0o2_000_000 | 0o400_000 | 0o4000,
  arm64: 0o2_000_000 | 0o100_000 | 0o4000,
};

const debug = debuglog("bm");

/** The calls of this machine, or null where there are none. */
export function loadCachedCalls(): CachedCalls | null {
  try {
    if (process.env["BM_NATIVE"] === "0") throw new Error("BM_NATIVE is 0");
    return bindCachedCalls();
  } catch (error) {
    debug("files are read through the thread pool: %s", String(error));
    return null;
  }
}

function bindCachedCalls(): CachedCalls {
  const preadv2 = PREADV2[process.arch];
  const statx = STATX[process.arch];
  const flags = OPEN_FLAGS[process.arch];
  const isKnown = preadv2 !== undefined && statx !== undefined && flags !== undefined;
  if (process.platform !== "linux" || !isKnown) {
    throw new Error(`no calls are known for ${process.platform} on ${process.arch}`);
  }
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  const libc = koffi.load(null);
  const [int, long] = ["int", "int64_t"];
  const openCall = libc.func("syscall", long, [long, int, "const char *", "void *", long]);
  const readCall = libc.func("syscall", long, [long, int, "void *", long, long, long, int]);
  const statCall = libc.func("syscall", long, [long, int, "const char *", int, int, "void *"]);
  const how = openHow(flags);
  const found = Buffer.alloc(STATX_BYTES);
  const statFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  const vector = new BigUint64Array(2);
  return {
    open: (path) => openCall(OPENAT2, AT_FDCWD, path, how, how.length) as number,
    read: (descriptor, buffer, position) => {
      // `struct iovec`. Filled in here: to have koffi do it from an object takes 2 us more, half of what
      // reading 16 KiB takes.
      vector[0] = koffi.address(buffer);
      vector[1] = BigInt(buffer.length);
      return readCall(preadv2, descriptor, vector, 1, position, 0, RWF_NOWAIT) as number;
    },
    stat: (descriptor) => {
      const result = statCall(statx, descriptor, "", statFlags, STATX_BASIC_STATS, found);
      return result === 0 ? fileStatOf(found) : null;
    },
  };
}

/** `struct open_how`: flags, mode, resolve, 64 bits each. */
function openHow(flags: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeUInt32LE(flags, 0);
  how.writeUInt32LE(RESOLVE_CACHED, 16);
  return how;
}
