/** The figures as rows of text: one table for speed, one for memory. */
import type { Comparison, ComparisonRow } from "./comparison.ts";
import { figure, spreadText } from "./figures.ts";

const MIB = 1024 * 1024;

/** Rows of cells; the first row is the heading. */
export interface Table {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
}

const SPEED_HEADING = [
  "suite",
  "who",
  "op/s",
  "MB/s",
  "p50 us",
  "p99 us",
  "CPU us/op client + server",
  "peak MiB client + server",
  "speed, ours / theirs",
  "p50, ours / theirs",
  "CPU, ours / theirs",
];

const MEMORY_HEADING = [
  "suite",
  "who",
  "unit",
  "server KiB/unit",
  "client KiB/unit",
  "peak MiB client + server",
  "server memory, ours / theirs",
];

const SHARE_HEADING = ["suite", "who", "op/s beside it", "share of the speed without it"];

/** Tables without a row are left out. */
export function tablesOf(comparisons: readonly Comparison[]): Table[] {
  const speed = comparisons.filter(({ suite }) => suite.measure !== "memory");
  const memory = comparisons.filter(({ suite }) => suite.measure === "memory");
  const share = comparisons.filter(({ suite }) => suite.measure === "share");
  const tables: Table[] = [
    { title: "Speed", rows: [SPEED_HEADING, ...speed.flatMap((one) => rowsOf(one, speedCells))] },
    {
      title: "Memory",
      rows: [MEMORY_HEADING, ...memory.flatMap((one) => rowsOf(one, memoryCells))],
    },
    {
      title: "Beside a stopped reader",
      rows: [SHARE_HEADING, ...share.flatMap((one) => rowsOf(one, shareCells))],
    },
  ];
  return tables.filter(({ rows }) => rows.length > 1);
}

/** Columns as wide as they need to be; numbers to the right. */
export function textTable({ title, rows }: Table): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join("  ")
      .trimEnd(),
  );
  return [title, ...lines].join("\n");
}

/** The same in Markdown. */
export function markdownTable({ rows }: Table): string {
  const [heading = [], ...body] = rows;
  const rule = heading.map((_, column) => (column < 2 ? "---" : "---:"));
  return [heading, rule, ...body].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function pad(cell: string, width: number, column: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width);
}

type Cells = (row: ComparisonRow, comparison: Comparison) => readonly string[];

function rowsOf(comparison: Comparison, cells: Cells): string[][] {
  return comparison.rows.map((row, at) => [
    at === 0 ? comparison.suite.name : "",
    row.name,
    ...cells(row, comparison),
  ]);
}

function speedCells({ summary, ratios }: ComparisonRow): readonly string[] {
  return [
    figure(summary.perSecond),
    figure(summary.bytesPerSecond / 1e6),
    figure(summary.p50Us),
    figure(summary.p99Us),
    `${figure(summary.clientCpuUs)} + ${figure(summary.serverCpuUs)}`,
    peaks(summary),
    ratios === null ? "" : spreadText(ratios.speed),
    ratios === null ? "" : spreadText(ratios.p50),
    ratios === null ? "" : spreadText(ratios.cpu),
  ];
}

function memoryCells({ summary, ratios }: ComparisonRow, { suite }: Comparison): readonly string[] {
  return [
    suite.unit,
    figure(summary.serverBytesPerUnit / 1024),
    figure(summary.clientBytesPerUnit / 1024),
    peaks(summary),
    ratios === null ? "" : spreadText(ratios.memory),
  ];
}

function shareCells({ summary }: ComparisonRow): readonly string[] {
  return [figure(summary.perSecond), `${(summary.keptShare * 100).toFixed(1)} %`];
}

function peaks(summary: { clientPeakBytes: number; serverPeakBytes: number }): string {
  return `${figure(summary.clientPeakBytes / MIB)} + ${figure(summary.serverPeakBytes / MIB)}`;
}
