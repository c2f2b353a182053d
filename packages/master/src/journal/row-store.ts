/** A row to be written, or with a null value to be removed. */
export interface RowChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** Where rows outlive the process. */
export interface RowStore {
  /** For people: what it is and where. */
  readonly description: string;
  /** Hands every row whose key starts so to `visit`, in the order of the keys. */
  read(prefix: string, visit: (key: string, value: Uint8Array) => void): Promise<void>;
  /** Makes changes durable, all or none; one call at a time. */
  write(changes: readonly RowChange[]): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
