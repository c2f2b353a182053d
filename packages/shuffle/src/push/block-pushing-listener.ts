/** Is told the fate of each block that was pushed: exactly one call per block, in any order. */
export interface BlockPushingListener {
  /** The block was merged, now or by an earlier push of it. */
  onBlockPushSuccess(blockId: string): void;
  /**
   * `error` is a ShuffleError PUSH_REFUSED with its `pushReturnCode` when the merger said no. A block
   * that was not merged is still read from its map output: for the shuffle nothing is lost.
   */
  onBlockPushFailure(blockId: string, error: Error): void;
}
