import { describe, expect, it } from "vitest";
import { parseSparkDefaults } from "../src/index.ts";

describe("parseSparkDefaults", () => {
  it.each([
    ["blanks between", "spark.a   1", { "spark.a": "1" }],
    ["a tab between", "spark.a\t1", { "spark.a": "1" }],
    ["an equals sign", "spark.a=1", { "spark.a": "1" }],
    ["an equals sign with blanks", "spark.a = 1 = 2", { "spark.a": "1 = 2" }],
    ["a colon", "spark.a: 1", { "spark.a": "1" }],
    ["blanks around", "   spark.a 1   ", { "spark.a": "1" }],
    ["no value", "spark.a", { "spark.a": "" }],
    ["comments and empty lines", "# x y\n\n  ! x y\nspark.a 1 # 2", { "spark.a": "1 # 2" }],
    ["Windows line ends", "spark.a 1\r\nspark.b 2\r\n", { "spark.a": "1", "spark.b": "2" }],
    ["a line that goes on", "spark.a x,\\\n   y", { "spark.a": "x,y" }],
    ["a comment sign on a line that goes on", "spark.a x\\\n#y", { "spark.a": "x#y" }],
    [
      "an escaped backslash at the end",
      "spark.a x\\\\\nspark.b y",
      { "spark.a": "x\\", "spark.b": "y" },
    ],
    ["a backslash at the very end", "spark.a x\\", { "spark.a": "x" }],
    ["escapes", String.raw`spark.\u0061 \u0031\t2\:3`, { "spark.a": "1\t2:3" }],
    ["an escaped separator in the key", String.raw`spark\ a=1`, { "spark a": "1" }],
    ["the same key twice", "spark.a 1\nspark.a 2", { "spark.a": "2" }],
    ["a key of every object", "__proto__ 1", Object.fromEntries([["__proto__", "1"]])],
  ])("reads %s", (_, text, expected) => {
    expect(parseSparkDefaults(text)).toEqual(expected);
  });
});
