import type { Spread } from "./statistics.ts";

/** Three digits that matter, thousands apart: `12,300`, `0.85`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded = Number(value.toPrecision(3));
  const [whole = "", rest] = rounded.toFixed(Math.min(digits, 3)).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** A ratio with its spread: `1.42 [1.38-1.51]`. */
export function spreadText({ median, least, most }: Spread): string {
  if (!Number.isFinite(median)) return "-";
  return `${ratioText(median)} [${ratioText(least)}-${ratioText(most)}]`;
}

function ratioText(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
