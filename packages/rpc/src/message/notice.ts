/** What an environment says without being asked and without an answer (proto/rpc.proto). */
import { checkRpcAddress, type RpcAddress } from "../address/rpc-address.ts";
import { bm } from "../gen/rpc.js";
import { RpcError } from "../rpc-error.ts";
import { decoded } from "./envelope.ts";

/** What the peer that connected says of itself. */
export interface Hello {
  readonly name: string;
  /** Where it listens; null when it does not. */
  readonly address: RpcAddress | null;
}

/** One of the two. */
export type Notice =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "givenUp"; readonly callId: number };

const NAME_CHARACTERS_MAX = 255;

/** The first thing on a connection. */
export function encodeHello({ name, address }: Hello): Uint8Array {
  const shortName = name.slice(0, NAME_CHARACTERS_MAX);
  const hello = { name: shortName, host: address?.host ?? "", port: address?.port ?? 0 };
  return bm.rpc.Notice.encode({ hello }).finish();
}

/** Nobody waits for the answer to a message any more. */
export function encodeGivenUp(callId: number): Uint8Array {
  return bm.rpc.Notice.encode({ givenUp: callId }).finish();
}

/** The notice that some bytes hold. @throws RpcError MESSAGE_MALFORMED */
export function decodeNotice(bytes: Uint8Array): Notice {
  const { hello, givenUp } = decoded(() => bm.rpc.Notice.decode(bytes));
  if (hello) return { kind: "hello", hello: helloOf(hello) };
  if (givenUp) return { kind: "givenUp", callId: givenUp };
  throw new RpcError("MESSAGE_MALFORMED", "a notice that says nothing");
}

function helloOf(fields: bm.rpc.Hello.$Properties): Hello {
  const { name, host, port } = fields;
  if ((name ?? "").length > NAME_CHARACTERS_MAX) {
    throw new RpcError("MESSAGE_MALFORMED", `a name of ${name?.length} characters`);
  }
  return { name: name ?? "", address: addressOf(host ?? "", port ?? 0) };
}

function addressOf(host: string, port: number): RpcAddress | null {
  if (host === "" && port === 0) return null;
  try {
    return checkRpcAddress({ host, port });
  } catch (cause) {
    throw new RpcError("MESSAGE_MALFORMED", "a greeting without address", { cause });
  }
}
