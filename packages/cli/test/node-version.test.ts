import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeTooOld } from "../src/platform/node-version.ts";

const manifest = new URL("../package.json", import.meta.url);
const { engines } = JSON.parse(readFileSync(manifest, "utf8")) as { engines: { node: string } };

describe("the version of Node", () => {
  it.each(["22.18.0", "22.20.1", "24.0.0", "26.10.0", "26.0.0-nightly20260101"])(
    "may be %s",
    (version) => {
      expect(nodeTooOld(version)).toBeNull();
    },
  );

  it.each(["18.20.4", "20.19.5", "22.17.1"])("may not be %s", (version) => {
    expect(nodeTooOld(version)).toContain(version);
  });

  it("is the one that the package asks for", () => {
    const oldest = engines.node.replace(">=", "");
    expect(nodeTooOld(`${oldest}.0`)).toBeNull();
    expect(nodeTooOld("0.0.0")).toContain(oldest);
  });
});
