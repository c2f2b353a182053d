/** What a load came to. */
export interface Counted {
  readonly operations: number;
  readonly bytes: number;
  readonly seconds: number;
}
