import { checkRpcAddress, type RpcEndpointAddress } from "../address/rpc-address.ts";
import { RpcError } from "../rpc-error.ts";

/** A reference inside a message: declare a protobuf message with these three fields for it. */
export interface EndpointAddressFields {
  readonly host?: string | null;
  readonly port?: number | null;
  readonly name?: string | null;
}

/**
 * The fields of a reference.
 * @throws RpcError ADDRESS_MISSING - the endpoint cannot be reached from another process.
 */
export function endpointAddressToWire(endpoint: RpcEndpointAddress): {
  host: string;
  port: number;
  name: string;
} {
  const { address, name } = endpoint;
  if (address !== null) return { host: address.host, port: address.port, name };
  const detail = `endpoint ${name} lives in an environment without a server`;
  throw new RpcError("ADDRESS_MISSING", detail);
}

/** The reference that the fields hold. @throws RpcError MESSAGE_MALFORMED */
export function endpointAddressFromWire(
  fields: EndpointAddressFields | null | undefined,
): RpcEndpointAddress {
  const name = fields?.name ?? "";
  const address = { host: fields?.host ?? "", port: fields?.port ?? 0 };
  if (name === "") throw new RpcError("MESSAGE_MALFORMED", "a reference without endpoint name");
  try {
    return { address: checkRpcAddress(address), name };
  } catch (cause) {
    throw new RpcError("MESSAGE_MALFORMED", "a reference without address", { cause });
  }
}
