import { bindFailed } from "../platform/node-error.ts";
import type { Network } from "../platform/platform.ts";
import { systemError } from "../platform/system-error.ts";
import { TransportError } from "../transport-error.ts";

/** What systems answer that cannot share a port between sockets. */
const UNSUPPORTED: ReadonlySet<unknown> = new Set(["EINVAL", "ENOPROTOOPT", "ENOSYS", "ENOTSUP"]);

/** On this machine a connection is taken or refused at once. */
const CONNECT_TIMEOUT_MS = 1000;

/** Where a server is that is about to listen. */
interface Address {
  readonly host?: string | undefined;
  readonly port: number;
}

/**
 * True when several sockets of this process can listen on the address; false where the system cannot
 * do that. Sockets that share a port share it with any process of the same user that wants to, and two
 * servers on one port would each get half of the connections: so nobody may answer there yet. Nothing
 * listens on the port itself meanwhile, since whoever connected then would lose the connection.
 * @throws TransportError BIND_FAILED when somebody listens there, or the address is not ours (rejects).
 */
export async function sharesPorts(network: Network, address: Address): Promise<boolean> {
  const { host, port } = address;
  if (port !== 0 && (await isAnswered(network, address))) {
    throw bindFailed(host, port, systemError("EADDRINUSE", "listen", host ?? "*"));
  }
  try {
    const shared = { host, port: 0, reusePort: true };
    const listener = await network.listen(shared, (socket) => socket.destroy());
    await listener.close();
    return true;
  } catch (error) {
    if (isUnsupported(error)) return false;
    throw error;
  }
}

async function isAnswered(
  network: Network,
  { host = "localhost", port }: Address,
): Promise<boolean> {
  try {
    const socket = await network.connect({ host, port, timeoutMs: CONNECT_TIMEOUT_MS });
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}

function isUnsupported(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false;
  const { cause } = error;
  return cause instanceof Error && "code" in cause && UNSUPPORTED.has(cause.code);
}
