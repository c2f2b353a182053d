import { TransportError, type TransportErrorCode } from "@bm/transport";
import { RpcError, type RpcErrorCode } from "../rpc-error.ts";

const CODES: Partial<Record<TransportErrorCode, RpcErrorCode>> = {
  CONNECT_FAILED: "CONNECT_FAILED",
  CONNECT_TIMEOUT: "CONNECT_FAILED",
  CONNECT_FAST_FAILED: "CONNECT_FAILED",
  BOOTSTRAP_FAILED: "BOOTSTRAP_FAILED",
  BODY_TOO_LARGE: "MESSAGE_TOO_LARGE",
  REMOTE_FAILURE: "REMOTE_FAILURE",
  CLOSED: "ENV_STOPPED",
  BIND_FAILED: "BIND_FAILED",
  OPTION_INVALID: "OPTION_INVALID",
};

/** What a failure of the transport is for the sender of a message. */
export function fromTransportError(error: unknown, peer: string): RpcError {
  const code = error instanceof TransportError ? CODES[error.code] : undefined;
  const detail = error instanceof Error ? error.message : String(error);
  return new RpcError(code ?? "CONNECTION_LOST", `${peer}: ${detail}`, { cause: error });
}
