// One ESM bundle plus rolled-up declarations per public entry; dependencies stay external.
export const base = {
  entry: ["src/index.ts"],
  format: ["esm"],
  dts: true,
  sourcemap: true,
  clean: true,
  target: "node22",
  silent: true,
};
