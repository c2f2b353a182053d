/**
 * From Node's socket and file errors to TransportError: the only place that knows Node's codes.
 * The original error is always the `cause`.
 */
import { TransportError, type TransportErrorCode } from "../transport-error.ts";
import type { SocketAddress } from "./platform.ts";
import { systemErrorCode } from "./system-error.ts";

/** What the codes mean, for people. */
const PLAIN_WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "the address does not belong to this machine",
  EAI_AGAIN: "the name service does not answer",
  EBADF: "it is closed",
  ECONNABORTED: "the connection was given up",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the peer reset the connection",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EHOSTUNREACH: "the host cannot be reached",
  EIO: "the device failed",
  EISDIR: "it is a directory",
  EMFILE: "this process has too many open files",
  ENETUNREACH: "the network cannot be reached",
  ENFILE: "this machine has too many open files",
  ENOENT: "there is no such file or directory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a directory",
  ENOTEMPTY: "the directory is not empty",
  ENOTFOUND: "the name is unknown",
  ENOTSUP: "this system does not support it",
  EPERM: "the operation is not permitted",
  EPIPE: "the peer closed the connection",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "the peer stopped answering",
};

/** CONNECT_FAILED: refused, unreachable, unknown name. */
export function connectFailed(address: SocketAddress, cause: unknown): TransportError {
  return translated("CONNECT_FAILED", `Failed to connect to ${addressText(address)}`, cause);
}

/** CONNECT_TIMEOUT: our own limit passed. */
export function connectTimedOut(address: SocketAddress, timeoutMs: number): TransportError {
  const message = `Connecting to ${addressText(address)} timed out (${timeoutMs} ms)`;
  return new TransportError("CONNECT_TIMEOUT", message);
}

/** REQUEST_ABORTED: the caller's signal fired; its reason is the cause. */
export function connectAborted(address: SocketAddress, reason: unknown): TransportError {
  const message = `Connecting to ${addressText(address)} was given up by the caller`;
  return new TransportError("REQUEST_ABORTED", message, { cause: reason });
}

/** BIND_FAILED. */
export function bindFailed(host: string | undefined, port: number, cause: unknown): TransportError {
  const address = addressText({ host: host ?? "*", port });
  return translated("BIND_FAILED", `Cannot listen on ${address}`, cause);
}

/** CHANNEL_CLOSED: an established connection was lost. */
export function connectionLost(cause: unknown): TransportError {
  return translated("CHANNEL_CLOSED", "the connection was lost", cause);
}

/** WRITE_FAILED: bytes were lost; `cause` is null when the connection was closed on purpose. */
export function writeFailed(cause: unknown): TransportError {
  if (cause !== null) return translated("WRITE_FAILED", "the bytes were not sent", cause);
  return new TransportError("WRITE_FAILED", "the bytes were not sent: the connection is closed");
}

/** FILE_FAILED; `action` is a verb such as "open". */
export function fileFailed(action: string, path: string, cause: unknown): TransportError {
  return translated("FILE_FAILED", `cannot ${action} ${path}`, cause);
}

function translated(code: TransportErrorCode, what: string, cause: unknown): TransportError {
  return new TransportError(code, `${what}: ${reasonText(cause)}`, { cause });
}

function reasonText(cause: unknown): string {
  const code = systemErrorCode(cause);
  const words = code === null ? undefined : PLAIN_WORDS[code];
  if (words !== undefined) return `${words} (${code})`;
  return cause instanceof Error ? cause.message : String(cause);
}

function addressText({ host, port }: SocketAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
