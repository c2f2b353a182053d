import type { Network } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";

/** What systems answer that cannot share a port between sockets. */
const UNSUPPORTED: ReadonlySet<unknown> = new Set(["EINVAL", "ENOPROTOOPT", "ENOSYS", "ENOTSUP"]);

/**
 * True when several sockets of this process can listen on the address; false where the system cannot
 * do that. Sockets that share a port share it with any process of the same user that wants to, so the
 * port is first taken for a moment by one that does not: two servers on one port would each get half
 * of the connections.
 * @throws TransportError BIND_FAILED when somebody listens there, or the address is not ours (rejects).
 */
export async function sharesPorts(
  network: Network,
  address: { readonly host?: string | undefined; readonly port: number },
): Promise<boolean> {
  const alone = await network.listen(address, (socket) => socket.destroy());
  const { port } = alone.address;
  await alone.close();
  try {
    const shared = { ...address, port, reusePort: true };
    const listener = await network.listen(shared, (socket) => socket.destroy());
    await listener.close();
    return true;
  } catch (error) {
    if (isUnsupported(error)) return false;
    throw error;
  }
}

function isUnsupported(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false;
  const { cause } = error;
  return cause instanceof Error && "code" in cause && UNSUPPORTED.has(cause.code);
}
