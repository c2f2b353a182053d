/** What a block manager that is to go has moved, and whether something is left. */
export interface MigrationProgress {
  /** Nothing is left that can be moved, as far as the last round knew: the process may end. */
  readonly isDone: boolean;
  /** When the older of the last rounds began, on the monotonic clock; 0 before the first. */
  readonly asOfMs: number;
  readonly rddBlocksMoved: number;
  readonly shufflesMoved: number;
  /** Names of what could not be moved and is lost with this process. */
  readonly failed: readonly string[];
}

/** What one kind of data tells of its last round. */
export interface RoundOutcome {
  /** Nothing more will be moved: everything is, or nobody is there to take it. */
  readonly isDone: boolean;
  readonly failed: readonly string[];
}

/** One kind of data that can be moved. */
export interface Migration {
  /** Moves what there is now. Never rejects but for a broken invariant. */
  round(signal: AbortSignal): Promise<RoundOutcome>;
  readonly moved: number;
}
