import { RpcError } from "../rpc-error.ts";

/** Where an environment listens. */
export interface RpcAddress {
  /** Host name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * Names one endpoint; made to travel inside messages. The receiver turns it back into a reference
 * with `RpcEnv.endpointRef`.
 */
export interface RpcEndpointAddress {
  /** Null for an endpoint of an environment without a server: only its own process reaches it. */
  readonly address: RpcAddress | null;
  readonly name: string;
}

const PORT_MAX = 65_535;

/** Reads `host:port` or `[host]:port`. @throws RpcError ADDRESS_INVALID */
export function parseRpcAddress(text: string): RpcAddress {
  const colon = text.lastIndexOf(":");
  const portText = text.slice(colon + 1);
  const bracketed = text.slice(0, Math.max(colon, 0));
  const isBracketed = bracketed.startsWith("[") && bracketed.endsWith("]");
  const host = isBracketed ? bracketed.slice(1, -1) : bracketed;
  if (!/^\d{1,5}$/.test(portText) || (host.includes(":") && !isBracketed)) {
    throw new RpcError("ADDRESS_INVALID", `${text} is not host:port`);
  }
  return checkRpcAddress({ host, port: Number(portText) });
}

/** The form that {@link parseRpcAddress} reads. */
export function formatRpcAddress({ host, port }: RpcAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Judges an address that is to be connected to.
 * @returns `address`.
 * @throws RpcError ADDRESS_INVALID - no host, or a port outside 1 to 65535.
 */
export function checkRpcAddress(address: RpcAddress): RpcAddress {
  const { host, port } = address;
  if (host === "" || !Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    throw new RpcError("ADDRESS_INVALID", `${host}:${port} is no address to connect to`);
  }
  return address;
}

/** Whether both name the same place, by text: names are not resolved. */
export function equalRpcAddresses(a: RpcAddress, b: RpcAddress): boolean {
  return a.host === b.host && a.port === b.port;
}
