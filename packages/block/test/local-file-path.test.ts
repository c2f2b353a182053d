import { describe, expect, it } from "vitest";
import { javaStringHash, localFilePath } from "../src/index.ts";
import executorPaths from "./vectors/disk-paths.json" with { type: "json" };
import servicePaths from "./vectors/local-dirs.json" with { type: "json" };

describe("localFilePath agrees with Spark's shuffle service", () => {
  for (const vector of servicePaths) {
    const { fileName, subDirsPerLocalDir, path } = vector;
    const dirs = vector.localDirs ?? directories(vector.numDirs, "blockmgr");

    it(`on ${JSON.stringify(fileName)} at ${path}`, () => {
      expect(localFilePath(dirs, subDirsPerLocalDir, fileName).path).toBe(path);
    });

    if (vector.javaHash === undefined) continue;
    it(`on the steps from ${JSON.stringify(fileName)} to ${path}`, () => {
      const { javaHash, dirId, subDirName } = vector;
      expect(javaStringHash(fileName)).toBe(javaHash);
      expect(localFilePath(dirs, subDirsPerLocalDir, fileName)).toMatchObject({
        dirIndex: dirId,
        dir: dirs[dirId],
        subDir: subDirName,
        subDirPath: `${dirs[dirId]}/${subDirName}`,
      });
    });
  }
});

describe("localFilePath agrees with Spark's executors", () => {
  for (const { file, javaHash, paths } of executorPaths) {
    it(`on ${file}`, () => {
      expect(javaStringHash(file)).toBe(javaHash);
      const found = paths.map(({ dirs, subDirs }) => ({
        dirs,
        subDirs,
        path: localFilePath(directories(dirs, "blockmgr-x"), subDirs, file).path,
      }));
      expect(found).toEqual(paths);
    });
  }
});

describe("localFilePath", () => {
  it("puts the one hash without a positive counterpart where hash 0 goes", () => {
    expect(javaStringHash("polygenelubricants")).toBe(-(2 ** 31));
    expect(localFilePath(["/a", "/b"], 64, "polygenelubricants")).toMatchObject({
      dirIndex: 0,
      subDir: "00",
    });
  });

  it("refuses an empty list of directories", () => {
    expect(() => localFilePath([], 64, "rdd_0_0")).toThrow(
      expect.objectContaining({ code: "LOCAL_DIRS_INVALID" }),
    );
  });

  for (const subDirs of [0, -1, 1.5, Number.NaN]) {
    it(`refuses ${subDirs} sub-directories`, () => {
      expect(() => localFilePath(["/a"], subDirs, "rdd_0_0")).toThrow(
        expect.objectContaining({ code: "LOCAL_DIRS_INVALID" }),
      );
    });
  }
});

function directories(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, index) => `/d${index}/${name}`);
}
