/** The numbers of a Roaring bitmap that share their upper 16 bits, in one of three forms. */

const ARRAY_CARDINALITY_MAX = 4096;
const BITS_BYTES = 8192;
const LOW_MAX = 0xffff;

/** See the file comment. */
export type Container = {
  /** The upper bits. */
  readonly key: number;
  readonly cardinality: number;
} & (
  | { readonly kind: "array"; readonly values: Uint16Array }
  | { readonly kind: "bits"; readonly bits: Uint8Array }
  /** Pairs of a first number and how many follow it. */
  | { readonly kind: "runs"; readonly runs: Uint16Array }
);

/** What stands in the header of a bitmap about a container. */
export interface ContainerDescription {
  readonly key: number;
  readonly cardinality: number;
  readonly isRun: boolean;
}

/** Of distinct numbers in ascending order, in the form that takes least room. */
export function containerOf(key: number, values: Uint16Array): Container {
  const cardinality = values.length;
  const isArray = cardinality <= ARRAY_CARDINALITY_MAX;
  const runs = runsOf(values);
  const runBytes = 2 + 2 * runs.length;
  if (runBytes < (isArray ? 2 * cardinality : BITS_BYTES)) {
    return { key, cardinality, kind: "runs", runs: Uint16Array.from(runs) };
  }
  if (isArray) return { key, cardinality, kind: "array", values };
  const bits = new Uint8Array(BITS_BYTES);
  for (const low of values) bits[low >>> 3] = (bits[low >>> 3] ?? 0) | (1 << (low & 7));
  return { key, cardinality, kind: "bits", bits };
}

/**
 * Reads one container at a place.
 * @throws RangeError when the bytes are not there or disagree with the description.
 */
export function readContainer(
  view: Buffer,
  at: number,
  described: ContainerDescription,
): Container {
  const { key, cardinality, isRun } = described;
  if (isRun) {
    const runs = readNumbers(view, at + 2, 2 * view.readUInt16LE(at));
    requireCardinality(described, cardinalityOfRuns(runs));
    return { key, cardinality, kind: "runs", runs };
  }
  if (cardinality <= ARRAY_CARDINALITY_MAX) {
    const values = readNumbers(view, at, cardinality);
    if (values.some((low, index) => index > 0 && low <= (values[index - 1] ?? 0))) {
      throw new RangeError(`values of container ${key} out of order`);
    }
    return { key, cardinality, kind: "array", values };
  }
  if (at + BITS_BYTES > view.length) throw new RangeError("bits are cut short");
  const bits = view.subarray(at, at + BITS_BYTES);
  requireCardinality(
    described,
    bits.reduce((sum, byte) => sum + ones(byte), 0),
  );
  return { key, cardinality, kind: "bits", bits };
}

/** Bytes that a container takes behind the header. */
export function containerBytes(container: Container): number {
  switch (container.kind) {
    case "array":
      return 2 * container.cardinality;
    case "bits":
      return BITS_BYTES;
    case "runs":
      return 2 + 2 * container.runs.length;
  }
}

/** Writes a container; gives where it ends. */
export function writeContainer(bytes: Buffer, at: number, container: Container): number {
  if (container.kind === "bits") {
    bytes.set(container.bits, at);
    return at + BITS_BYTES;
  }
  if (container.kind === "array") return writeNumbers(bytes, at, container.values);
  const runsAt = bytes.writeUInt16LE(container.runs.length / 2, at);
  return writeNumbers(bytes, runsAt, container.runs);
}

/** Whether a container has a number, given by its lower 16 bits. */
export function containerHas(container: Container, low: number): boolean {
  switch (container.kind) {
    case "array":
      return container.values[lastAtMost(container.values, 1, low)] === low;
    case "bits":
      return ((container.bits[low >>> 3] ?? 0) & (1 << (low & 7))) !== 0;
    case "runs": {
      const { runs } = container;
      const run = lastAtMost(runs, 2, low);
      return run >= 0 && low <= (runs[2 * run] ?? 0) + (runs[2 * run + 1] ?? 0);
    }
  }
}

/** Index of the last number, or first of a run, that is not above `low`; -1 when there is none. */
function lastAtMost(numbers: Uint16Array, stride: number, low: number): number {
  let from = 0;
  let to = numbers.length / stride;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((numbers[middle * stride] ?? 0) <= low) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

function runsOf(values: Uint16Array): number[] {
  const runs: number[] = [];
  for (const [index, low] of values.entries()) {
    const isNeighbour = index > 0 && values[index - 1] === low - 1;
    if (isNeighbour) runs[runs.length - 1] = (runs.at(-1) ?? 0) + 1;
    else runs.push(low, 0);
  }
  return runs;
}

function cardinalityOfRuns(runs: Uint16Array): number {
  let cardinality = 0;
  let behind = 0;
  for (let index = 0; index < runs.length; index += 2) {
    const [first = 0, more = 0] = [runs[index], runs[index + 1]];
    if (first < behind || first + more > LOW_MAX) throw new RangeError("runs out of order");
    behind = first + more + 1;
    cardinality += more + 1;
  }
  return cardinality;
}

function readNumbers(view: Buffer, at: number, count: number): Uint16Array {
  if (at + 2 * count > view.length) throw new RangeError("numbers are cut short");
  return Uint16Array.from({ length: count }, (_, index) => view.readUInt16LE(at + 2 * index));
}

function writeNumbers(bytes: Buffer, start: number, numbers: Uint16Array): number {
  let at = start;
  for (const number of numbers) at = bytes.writeUInt16LE(number, at);
  return at;
}

function requireCardinality({ key, cardinality }: ContainerDescription, found: number): void {
  if (found === cardinality) return;
  throw new RangeError(`container ${key} has ${found} values, not ${cardinality}`);
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
