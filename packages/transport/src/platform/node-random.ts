import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { invariant } from "../invariant.ts";
import type { Random } from "./platform.ts";

const BOUND_MAX = 2 ** 48;

/**
 * Chance from the system's cryptographic source, so that ids drawn with `below` and `uuid` cannot be
 * guessed by a peer. `next` is for jitter and may be guessed.
 */
export const nodeRandom: Random = {
  next: () => Math.random(),
  below: (bound) => {
    invariant(Number.isInteger(bound) && bound > 0 && bound <= BOUND_MAX, "bound in 1..2^48");
    // randomInt itself takes one less than the contract promises.
    return bound === BOUND_MAX ? randomBytes(6).readUIntBE(0, 6) : randomInt(bound);
  },
  uuid: () => randomUUID(),
};
