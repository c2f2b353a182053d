import { RpcError } from "../rpc-error.ts";

/** Judges the size of a payload. @throws RpcError MESSAGE_TOO_LARGE */
export function checkMessageBytes(what: string, payloadBytes: number, bytesMax: number): void {
  if (payloadBytes <= bytesMax) return;
  const detail = `${what} has ${payloadBytes} bytes, spark.rpc.message.maxSize allows ${bytesMax}`;
  throw new RpcError("MESSAGE_TOO_LARGE", detail);
}
