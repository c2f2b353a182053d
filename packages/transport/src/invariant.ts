/**
 * Stops at a broken promise of our own code. Never used for what a peer, a disk or a user can cause:
 * those end one call or one channel with a TransportError.
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
