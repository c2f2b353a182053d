/** A row to be written, or with a null value to be removed. */
export interface RowChange {
  readonly key: string;
  readonly value: string | null;
}

/** A row that is there. */
export interface Row extends RowChange {
  readonly value: string;
}

/** Where rows of text outlive the process. */
export interface RowStore {
  /** For people: what it is and where. */
  readonly description: string;
  /** Hands every row to `visit`. Called once, before `write`. */
  load(visit: (key: string, value: string) => void): Promise<void>;
  /** Makes changes durable, all or none; one call at a time. */
  write(changes: readonly RowChange[]): Promise<void>;
  /** Called once, after `load`: where every row can be had again should they get lost. */
  restoreFrom?(all: () => Iterable<Row>): void;
  /** Looks whether what was written is still there, and restores it otherwise. Never rejects. */
  check?(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** Keeps nothing. */
export const forgetfulRows: RowStore = {
  description: "none, a restart forgets everything",
  load: () => Promise.resolve(),
  write: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
