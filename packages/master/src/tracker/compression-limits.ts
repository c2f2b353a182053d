/** When sizes of map output are kept one by one. */
export interface CompressionLimits {
  /**
   * Up to this many partitions each has its size
   * (`spark.shuffle.minNumPartitionsToHighlyCompress`). Default: 2,000.
   */
  readonly everySizeMax?: number | undefined;
  /**
   * From this size on a partition keeps its own (`spark.shuffle.accurateBlockThreshold`).
   * Default: 100 MiB.
   */
  readonly accurateBytes?: number | undefined;
  /**
   * So many times the median is huge, too (`spark.shuffle.accurateBlockSkewedFactor`). Default: -1,
   * the median does not count.
   */
  readonly skewedFactor?: number | undefined;
  /**
   * Partitions that are huge by the median, about
   * (`spark.shuffle.maxAccurateSkewedBlockNumber`). Default: 100.
   */
  readonly skewedMax?: number | undefined;
}

const EVERY_SIZE_MAX_DEFAULT = 2000;
const ACCURATE_BYTES_DEFAULT = 100 * 1024 * 1024;
const SKEWED_MAX_DEFAULT = 100;

/** Whether so many partitions have a size each. */
export function hasEverySize(numPartitions: number, limits: CompressionLimits): boolean {
  return numPartitions <= (limits.everySizeMax ?? EVERY_SIZE_MAX_DEFAULT);
}

/** The test for huge blocks among blocks of the given sizes. */
export function isHuge(
  sizes: readonly number[],
  limits: CompressionLimits,
): (size: number) => boolean {
  const { accurateBytes = ACCURATE_BYTES_DEFAULT, skewedFactor = -1 } = limits;
  if (skewedFactor <= 0 || sizes.length === 0) return (size) => size >= accurateBytes;
  const sorted = Float64Array.from(sizes).toSorted();
  const skewedMax = Math.min(limits.skewedMax ?? SKEWED_MAX_DEFAULT, sizes.length);
  const smallestOfLargest = sorted[sizes.length - skewedMax] ?? Infinity;
  const skewed = Math.max(medianOf(sorted) * skewedFactor, smallestOfLargest);
  const threshold = Math.min(accurateBytes, skewed);
  return (size) => size >= threshold;
}

/** As Spark's: a whole number, at least 1. */
function medianOf(sorted: Float64Array): number {
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? 0;
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? 0) : upper;
  return Math.max(Math.floor((upper + lower) / 2), 1);
}
