import { TransportError, type TransportServer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";

const PORT_MAX = 65_535;
/** Ports below belong to the system. */
const FREE_PORT_MIN = 1024;

/**
 * Listens on `port`, or on one of the `maxRetries` ports behind it when it is taken. 0 lets the system
 * choose. Behind 65535 comes 1024.
 * @throws ShuffleError OPTION_INVALID for a port below 1024 or above 65535; TransportError
 *   BIND_FAILED (rejects).
 */
export async function listenWithRetries(
  port: number,
  maxRetries: number,
  listen: (port: number) => Promise<TransportServer>,
): Promise<TransportServer> {
  const isUsable = port === 0 || (port >= FREE_PORT_MIN && port <= PORT_MAX);
  if (!Number.isInteger(port) || !isUsable) {
    const text = `port ${port}: must be 0, or from ${FREE_PORT_MIN} to ${PORT_MAX}`;
    throw new ShuffleError("OPTION_INVALID", text);
  }
  for (let retry = 0; ; retry += 1) {
    try {
      return await listen(port === 0 ? 0 : portBehind(port, retry));
    } catch (error) {
      if (retry >= maxRetries || !isAddressInUse(error)) throw error;
    }
  }
}

function portBehind(port: number, distance: number): number {
  const range = PORT_MAX + 1 - FREE_PORT_MIN;
  return FREE_PORT_MIN + ((port - FREE_PORT_MIN + distance) % range);
}

function isAddressInUse(error: unknown): boolean {
  if (!(error instanceof TransportError) || error.code !== "BIND_FAILED") return false;
  const { cause } = error;
  return cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
}
