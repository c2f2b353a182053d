/** What happens to the answers on one connection, counted in bytes from the server. */
export type Fault =
  | { readonly kind: "none" }
  /** The connection is reset behind that byte. */
  | { readonly kind: "cut"; readonly atByte: number }
  /** The connection ends in good order behind that byte, as if that were all. */
  | { readonly kind: "truncate"; readonly atByte: number }
  /** Nothing comes any more behind that byte, and nobody says why. */
  | { readonly kind: "silence"; readonly atByte: number }
  /** Nothing comes for a while behind that byte. */
  | { readonly kind: "delay"; readonly atByte: number; readonly ms: number }
  /** That byte arrives with one bit changed, and so does each one that many bytes further. */
  | { readonly kind: "flip"; readonly atByte: number; readonly bit: number; readonly every: number }
  /** The connection is accepted and closed. */
  | { readonly kind: "refuse" };

/** Every kind of fault of a connection. */
export const FAULT_KINDS: readonly Fault["kind"][] = [
  "none",
  "cut",
  "truncate",
  "silence",
  "delay",
  "flip",
  "refuse",
];
