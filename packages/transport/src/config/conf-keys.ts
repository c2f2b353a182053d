import type { ConfKey } from "./conf-key.ts";
import { IO_KEYS } from "./io-keys.ts";
import { SECURITY_KEYS } from "./security-keys.ts";
import { SHUFFLE_KEYS } from "./shuffle-keys.ts";

/** Every configuration key of the transport, by Spark's names. */
export const CONF_KEYS: readonly ConfKey[] = [...IO_KEYS, ...SECURITY_KEYS, ...SHUFFLE_KEYS];
