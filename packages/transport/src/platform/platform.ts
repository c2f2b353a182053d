/**
 * Time, network, disk and chance, as values that are passed in.
 *
 * No other folder touches `node:net`, `node:fs`, `Date`, timers or `Math.random`, so the same code
 * runs on a real machine and inside a simulation that replays from a seed.
 */
export interface Platform {
  readonly clock: Clock;
  readonly network: Network;
  readonly files: Files;
  readonly random: Random;
}

/** Time, as a value. */
export interface Clock {
  /** Milliseconds of a monotonic clock with an arbitrary origin. */
  nowMs(): number;
  /** Milliseconds since 1970, for people and files; may jump. */
  wallTimeMs(): number;
  /** Calls once after `delayMs`. A pending timer does not keep the process alive when `unref` is set. */
  setTimer(delayMs: number, callback: () => void, options?: { readonly unref?: boolean }): Timer;
  /** Calls once in a later turn of the event loop, after pending I/O had its chance. */
  setImmediate(callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** Something that will happen unless it is cancelled. Cancelling twice, or too late, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Chance, as a value. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). `bound` is at most 2^48. */
  below(bound: number): number;
  /** Random (version 4) UUID. */
  uuid(): string;
}

/** A host, numeric or a name, and a TCP port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** Where to connect, and how long to try. */
export interface ConnectOptions extends SocketAddress {
  /** 0 waits as long as the system does. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly receiveBufferBytes?: number | undefined;
  readonly sendBufferBytes?: number | undefined;
  /** How long to look for bytes after a write without going to sleep: see `BusyPoll`. Default: 0. */
  readonly busyPollMicros?: number | undefined;
}

/** Where to listen, and what accepted sockets get. */
export interface ListenOptions {
  /** Address to bind; undefined means every interface. */
  readonly host?: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Accept queue; undefined leaves it to the system. */
  readonly backlog?: number | undefined;
  readonly keepAlive?: boolean | undefined;
  readonly receiveBufferBytes?: number | undefined;
  readonly sendBufferBytes?: number | undefined;
  /** Several event loops share the port where the system can. */
  readonly reusePort?: boolean | undefined;
  /** How long to look for bytes after a write without going to sleep: see `BusyPoll`. Default: 0. */
  readonly busyPollMicros?: number | undefined;
}

/** TCP, as a value. */
export interface Network {
  /** @throws TransportError CONNECT_FAILED, CONNECT_TIMEOUT, REQUEST_ABORTED (rejects). */
  connect(options: ConnectOptions): Promise<Socket>;
  /** @throws TransportError BIND_FAILED (rejects). */
  listen(options: ListenOptions, onSocket: (socket: Socket) => void): Promise<Listener>;
}

/** A port that is listened on. */
export interface Listener {
  readonly address: SocketAddress;
  /** Stops accepting. Accepted sockets live on. Safe to call twice. */
  close(): Promise<void>;
}

/** What a socket tells its owner, always in the same turn as it happens. */
export interface SocketEvents {
  /** Borrowed: the bytes may be overwritten once this returns. */
  onData(bytes: Uint8Array): void;
  /**
   * Where the next bytes should be put, if the owner knows; asked for before every read. What is then
   * given to `onData` may lie there already. A socket need not ask.
   */
  readTarget?(): Uint8Array | null;
  /** The system took some of what was written; before the reports of those writes. */
  onSent?(): void;
  /** The peer half-closed. */
  onEnd(): void;
  /** The last event, exactly once; `error` is set when the connection was lost rather than closed. */
  onClose(error: Error | null): void;
}

/** See `sendFile` of {@link Socket}. */
export const ASK_NEXT_TURN = -1;
/** See `sendFile` of {@link Socket}. */
export const ASK_WHEN_SENT = -2;

/** One TCP connection. */
export interface Socket {
  /** Stays readable when the connection is closed. */
  readonly remoteAddress: SocketAddress;
  /** Of an open connection. */
  readonly localAddress: SocketAddress;
  /** Must be called in the turn in which the socket was handed over. Bytes flow from then on. */
  start(events: SocketEvents): void;
  /**
   * Queues pieces in order; the caller keeps them unchanged until `onWritten`.
   * `onWritten` is called once, with the error when the bytes were lost; null when nobody asks.
   */
  write(pieces: readonly Uint8Array[], onWritten: ((error: Error | null) => void) | null): void;
  /**
   * Has the system send a header and a part of an open file out of its own memory. Gives how many bytes of
   * both it took in this turn; the rest is for the caller to send. 0 where the bytes are not in memory or
   * the system has no such call; `ASK_WHEN_SENT` while it has not taken all that was written before, and
   * `ASK_NEXT_TURN` when the connection had its share of this turn. Never waits and never fails.
   */
  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number;
  /** Bytes handed to `write` and not yet taken by the system. */
  readonly pendingBytes: number;
  pauseReading(): void;
  resumeReading(): void;
  /** Sends what is queued, then closes. Safe to call twice. */
  end(): void;
  /** Closes now; queued bytes are lost. Safe to call twice. */
  destroy(): void;
}

/** All but "read" make the file where it is missing; "create-new" fails where one is, "write" empties it. */
export type OpenMode = "read" | "write" | "append" | "create-new" | "read-write";

/** File operations. All reject with TransportError FILE_FAILED whose cause has Node's `code`. */
export interface Files {
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Opens a file for reading in this turn; null where that cannot be done without waiting, or at all. */
  openNow(path: string): OpenFile | null;
  readFile(path: string): Promise<Uint8Array>;
  /**
   * Reads from `position` what is in memory, in this turn, and gives the number of bytes: fewer than
   * `buffer` takes where the file ends or what is in memory does, and 0 where that is not known.
   * Never waits and never fails: whoever needs the rest opens the file and is told what is wrong.
   * With `expected`, gives 0 also when another file is there by now, or the same one was changed.
   */
  readNow(path: string, buffer: Uint8Array, position: number, expected?: FileStat): number;
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Null when nothing is there. */
  stat(path: string): Promise<FileStat | null>;
  makeDirectory(path: string): Promise<void>;
  /** A fresh directory whose name starts with `prefix`. */
  makeTemporaryDirectory(prefix: string): Promise<string>;
  /** Names of the entries, unsorted. */
  list(path: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Deletes a file or a tree. True when something was there. Never follows symbolic links. */
  remove(path: string): Promise<boolean>;
}

/** What is known of a file or directory without opening it. */
export interface FileStat {
  readonly bytes: number;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly modifiedMs: number;
  /**
   * Tell one file from another, as long as one of them is there: a file that took the place of another by
   * its name has another inode.
   */
  readonly device: number;
  readonly inode: number;
  /** Names that it has; 0 of an open file that was removed, or that another one replaced. */
  readonly links: number;
}

/** Whether two looks found the same file, and it was neither changed nor removed in between. */
export function isSameFile(a: FileStat, b: FileStat): boolean {
  const isOne = a.inode === b.inode && a.device === b.device && a.links === b.links;
  return isOne && a.bytes === b.bytes && a.modifiedMs === b.modifiedMs;
}

/** A file that is open. All methods reject with FILE_FAILED, after `close` too. */
export interface OpenFile {
  /** Reads into all of `buffer` from `position`, less only at the end of the file; gives the count. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** As `readNow` of {@link Files}. */
  readNow(buffer: Uint8Array, position: number): number;
  /** What is known in this turn, of a file that was opened by `openNow` and not closed; else null. */
  statNow(): FileStat | null;
  /** Writes every byte at `position`, or at the end when null. The caller keeps the bytes until then. */
  write(bytes: Uint8Array, position: number | null): Promise<void>;
  /** Cuts or extends the file. */
  truncate(bytes: number): Promise<void>;
  stat(): Promise<FileStat>;
  /** Makes what was written survive a power cut. */
  sync(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
