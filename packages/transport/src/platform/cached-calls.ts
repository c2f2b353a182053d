/**
 * Calls of Linux that Node does not have: opening a file whose path is in memory, reading bytes that are
 * in memory or having a socket send them, and looking at an open file without asking whoever it comes
 * from. They refuse instead of waiting for a disk, so they may be made on the event loop.
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
  /** Null where the system cannot tell what of a file is in memory. */
  readonly sendFile: SendFileCall | null;
}

/**
 * Sends a header and `length` bytes of a file that are all in memory, as far as the socket takes them in
 * this turn. Gives the number of bytes of both that it took; -1 when not all of the file's are in memory.
 */
export type SendFileCall = (
  socket: number,
  header: Uint8Array,
  descriptor: number,
  position: number,
  length: number,
) => number;

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
  errno(): number;
}

/** Numbers of preadv2(2) and statx(2); that of openat2(2) is the same everywhere. */
const PREADV2: Readonly<Partial<Record<string, number>>> = { x64: 327, arm64: 286 };
const STATX: Readonly<Partial<Record<string, number>>> = { x64: 332, arm64: 291 };
const OPENAT2 = 437;
/** Of cachestat(2), everywhere. Linux has it since 6.5. */
const CACHESTAT = 451;

/** Reads what is in the page cache, else fails with EAGAIN. */
const RWF_NOWAIT = 8;
/** Opens what is in the cache of names, else fails with EAGAIN. */
const RESOLVE_CACHED = 0x20;
const AT_FDCWD = -100;
/** The descriptor itself, as it is known here. */
const AT_EMPTY_PATH = 0x1000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC_STATS = 0x7ff;
/** MSG_MORE: it leaves together with the bytes of the file. And MSG_NOSIGNAL. */
const HEADER_FLAGS = 0x8000 | 0x4000;
const EBADF = 9;

/** _SC_PAGESIZE, on both architectures and in every C library. */
const PAGE_SIZE = 30;
/**
 * What one call sends. Shorter than a segment of TCP over loopback, so that the system gathers several
 * while the receiver is at work. Where it paces connections (BBR), it otherwise sets a timer for each
 * segment: 64 KiB then take 32 us of the sender's time, and in four parts 16. Without pacing they take 5
 * and 6.
 */
const SLICE_BYTES = 16 * 1024;
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
    sendFile: bindSendFile(koffi),
  };
}

function bindSendFile(koffi: Koffi): SendFileCall | null {
  const libc = koffi.load(null);
  const [int, long] = ["int", "int64_t"];
  const cacheCall = libc.func("syscall", long, [long, int, "void *", "void *", int]);
  const headerCall = libc.func("send", long, [int, "void *", long, int]);
  const pageBytes = libc.func("sysconf", long, [int])(PAGE_SIZE) as number;
  const sendFileCall = libc.func("sendfile", long, [int, int, "void *", long]);
  // `struct cachestat_range` and the head of `struct cachestat`, the number of pages that are there.
  const range = new Uint32Array(4);
  const counts = new Uint32Array(10);
  const countCached = (descriptor: number, position: number, length: number): number => {
    setUint64(range, 0, position);
    setUint64(range, 2, length);
    return cacheCall(CACHESTAT, descriptor, range, counts, 0) === 0 ? (counts[0] as number) : -1;
  };
  // A system without the call, or that forbids it, has another error for a descriptor that is none.
  if (countCached(-1, 0, 1) !== -1 || koffi.errno() !== EBADF) return null;
  const offset = new Uint32Array(2);
  return (socket, header, descriptor, position, length) => {
    const firstPage = Math.floor(position / pageBytes);
    const pageCount = Math.ceil((position + length) / pageBytes) - firstPage;
    if (countCached(descriptor, position, length) < pageCount) return -1;
    let sent = 0;
    if (header.length > 0) {
      sent = headerCall(socket, header, header.length, HEADER_FLAGS) as number;
      if (sent < header.length) return Math.max(0, sent);
    }
    const end = header.length + length;
    while (sent < end) {
      const slice = Math.min(SLICE_BYTES, end - sent);
      setUint64(offset, 0, position + sent - header.length);
      const count = sendFileCall(socket, descriptor, offset, slice) as number;
      // Whatever the socket has against it, a plain write will tell.
      if (count <= 0) return sent;
      sent += count;
    }
    return sent;
  };
}

function setUint64(target: Uint32Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value / 0x1_0000_0000;
}

/** `struct open_how`: flags, mode, resolve, 64 bits each. */
function openHow(flags: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeUInt32LE(flags, 0);
  how.writeUInt32LE(RESOLVE_CACHED, 16);
  return how;
}
