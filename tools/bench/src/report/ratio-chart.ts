/**
 * The ratios as an SVG: a panel for each peer, a line for each suite, a bar from 1 to the median on a
 * logarithmic scale, and a thin line over the spread. To the right of the middle ours is faster.
 */
import { CONTENDERS, type ContenderName } from "../suites/suite.ts";
import type { Comparison } from "./comparison.ts";
import { spreadText } from "./figures.ts";
import type { Spread } from "./statistics.ts";

const LINE_HEIGHT = 20;
const PANEL_HEAD = 44;
const LABEL_WIDTH = 230;
const PLOT_WIDTH = 480;
const TEXT_WIDTH = 150;
const WIDTH = LABEL_WIDTH + PLOT_WIDTH + TEXT_WIDTH;
/** Ratios beyond these are drawn at the edge. */
const RATIO_MAX = 100;
const GRID = [0.01, 0.1, 0.25, 0.5, 1, 2, 4, 10, 100];

const STYLE = [
  "text{font:12px system-ui,sans-serif;fill:#333}",
  ".head{font-weight:600;font-size:14px}",
  ".grid{stroke:#ddd}.one{stroke:#555}",
  ".faster{fill:#2a7f62}.slower{fill:#c0563f}",
  ".spread{stroke:#222;stroke-width:1.5}",
].join("");

/** A whole SVG document; without a peer it only says so. */
export function ratioChart(comparisons: readonly Comparison[]): string {
  let y = 0;
  const panels = CONTENDERS.flatMap((peer) => {
    const lines = linesOf(comparisons, peer);
    if (lines.length === 0) return [];
    const panel = panelOf(peer, lines, y);
    y += PANEL_HEAD + lines.length * LINE_HEIGHT + 16;
    return [panel];
  });
  const content = panels.length > 0 ? panels.join("\n") : text(10, 20, "nothing to compare with");
  const height = Math.max(y, 30);
  const box = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img">`,
    "<title>Speed of ours divided by that of its peers</title>",
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    content,
    "</svg>",
    "",
  ].join("\n");
}

interface Line {
  readonly label: string;
  readonly speed: Spread;
}

function linesOf(comparisons: readonly Comparison[], peer: ContenderName): Line[] {
  return comparisons
    .filter(({ suite }) => suite.measure === "throughput")
    .flatMap(({ suite, rows }) => {
      const speed = rows.find(({ name }) => name === peer)?.ratios?.speed;
      return speed === undefined ? [] : [{ label: suite.name, speed }];
    });
}

function panelOf(peer: ContenderName, lines: readonly Line[], top: number): string {
  const bottom = top + PANEL_HEAD + lines.length * LINE_HEIGHT;
  const grid = GRID.map((ratio) => {
    const x = xOf(ratio);
    const kind = ratio === 1 ? "one" : "grid";
    const rule = `<line class="${kind}" x1="${x}" x2="${x}" y1="${top + 36}" y2="${bottom}"/>`;
    return rule + text(x, top + 32, String(ratio), 'text-anchor="middle"');
  });
  const head = text(10, top + 16, `throughput, ours / ${peer}`, 'class="head"');
  const bars = lines.map((line, at) => barOf(line, top + PANEL_HEAD + at * LINE_HEIGHT));
  return [head, ...grid, ...bars].join("\n");
}

function barOf({ label, speed }: Line, top: number): string {
  const one = xOf(1);
  const x = xOf(speed.median);
  const middle = top + LINE_HEIGHT / 2;
  const kind = speed.median >= 1 ? "faster" : "slower";
  const size = `x="${Math.min(one, x)}" width="${Math.abs(x - one).toFixed(1)}"`;
  const [from, to] = [xOf(speed.least), xOf(speed.most)];
  return [
    text(LABEL_WIDTH - 10, middle + 4, label, 'text-anchor="end"'),
    `<rect class="${kind}" ${size} y="${top + 4}" height="${LINE_HEIGHT - 8}"/>`,
    `<line class="spread" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>`,
    text(LABEL_WIDTH + PLOT_WIDTH + 10, middle + 4, spreadText(speed)),
  ].join("");
}

function xOf(ratio: number): number {
  const limited = Math.min(RATIO_MAX, Math.max(1 / RATIO_MAX, ratio));
  const share = (Math.log10(limited) / Math.log10(RATIO_MAX) + 1) / 2;
  return Number((LABEL_WIDTH + share * PLOT_WIDTH).toFixed(1));
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
