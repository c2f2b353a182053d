/**
 * 64-bit integers at the edge to protobuf, where they are `Long`. A bigint given to protobufjs would
 * be written as 0, and its answers are `Long` whatever their declared type says.
 */
import Long from "long";
import { RpcError } from "../rpc-error.ts";

/** What protobufjs takes and gives for a 64-bit field. */
export type WireInteger = number | Long;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** For a signed field. @throws RpcError MESSAGE_MALFORMED - does not fit 64 bits. */
export function int64ToWire(value: bigint): Long {
  if (value < INT64_MIN || value > INT64_MAX) {
    throw new RpcError("MESSAGE_MALFORMED", `${value} does not fit a signed 64-bit field`);
  }
  return Long.fromString(value.toString());
}

/** The exact value of a signed field; an absent field is 0. */
export function int64FromWire(value: WireInteger | null | undefined): bigint {
  return value === null || value === undefined ? 0n : BigInt(value.toString());
}

/** For a size or count. @throws RpcError MESSAGE_MALFORMED - negative or no safe integer. */
export function sizeToWire(value: number): Long {
  return Long.fromNumber(checkSize(value));
}

/** A size or count. @throws RpcError MESSAGE_MALFORMED - negative or no safe integer. */
export function sizeFromWire(value: WireInteger | null | undefined): number {
  return checkSize(Number(int64FromWire(value)));
}

function checkSize(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RpcError("MESSAGE_MALFORMED", `${value} is no size`);
}
