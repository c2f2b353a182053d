import { CodecError } from "../src/index.ts";

/** The error that `act` throws. Anything that is not a CodecError fails the test. */
export function failureOf(act: () => unknown): CodecError {
  try {
    act();
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
