import { BlockManagerId } from "@bm/block";
import { deserializeStatuses, MapStatus, type ShuffleOutputs, serializeStatuses } from "@bm/master";
import { describe, expect, it } from "vitest";
import { seeded } from "../model/random-steps.ts";

const PLACES = [
  BlockManagerId.of("1", "h1", 1001),
  BlockManagerId.of("2", "h2", 1002, "/r"),
  BlockManagerId.of("3", "h3", 1003),
];

/** Statuses of some of so many maps, in any order. */
function outputsOf(
  numMaps: number,
  partitions: number,
  isKnown: (mapIndex: number) => boolean = () => true,
): ShuffleOutputs {
  const below = seeded(numMaps);
  const indexes = Array.from({ length: numMaps }, (_, index) => index).filter(isKnown);
  const statuses = indexes.map((mapIndex): [number, MapStatus] => {
    const location = PLACES[below(PLACES.length)] as BlockManagerId;
    const sizes = Array.from({ length: partitions }, () => below(3) * below(1000));
    const mapId = 2n ** 62n + BigInt(mapIndex);
    return [mapIndex, MapStatus.ofSizes(location, mapId, sizes, -BigInt(below(5)))];
  });
  return { shuffleId: 5, numMaps, byMapIndex: new Map(statuses.toReversed()) };
}

function textOf(status: MapStatus | undefined): string | undefined {
  return status && Buffer.from(status.toBytes()).toString("base64");
}

describe("serialised map statuses", () => {
  const cases: [name: string, outputs: ShuffleOutputs][] = [
    ["of no map", outputsOf(0, 1)],
    ["of which none is known", outputsOf(5, 3, () => false)],
    ["of one map without partitions", outputsOf(1, 0)],
    ["of few maps", outputsOf(7, 9)],
    ["of some of the maps", outputsOf(50, 4, (index) => index % 3 === 1)],
    ["of very many partitions", outputsOf(4, 2500)],
    ["of several frames", outputsOf(9000, 500)],
  ];
  for (const [name, outputs] of cases) {
    it(`are the same when they are read again: ${name}`, async () => {
      const read = await deserializeStatuses(5, await serializeStatuses(outputs));
      expect([read.numMaps, read.byMapIndex.size]).toEqual([
        outputs.numMaps,
        outputs.byMapIndex.size,
      ]);
      for (let mapIndex = -1; mapIndex <= outputs.numMaps; mapIndex++) {
        const expected = textOf(outputs.byMapIndex.get(mapIndex));
        expect(textOf(read.byMapIndex.get(mapIndex)), `map ${mapIndex}`).toBe(expected);
      }
    });
  }

  it("take less than the sizes in them, and places once", async () => {
    const bytes = await serializeStatuses(outputsOf(9000, 500));
    expect(bytes.length).toBeLessThan(9000 * 500 * 0.95);
    const text = Buffer.from(bytes.subarray(0, 400)).toString("latin1");
    expect(text.split("h2").length).toBeLessThanOrEqual(2);
  });

  it("are refused when they are cut, longer, or changed anywhere, and never break the reader", async () => {
    const small = await serializeStatuses(outputsOf(300, 40));
    const highlyCompressed = await serializeStatuses(outputsOf(30, 2500));
    await expect(refuseWhatIsWrong(small)).resolves.toBeUndefined();
    await expect(refuseWhatIsWrong(highlyCompressed)).resolves.toBeUndefined();
  });

  async function refuseWhatIsWrong(whole: Uint8Array): Promise<void> {
    const malformed = expect.objectContaining({ code: "STATUSES_MALFORMED" });
    for (const length of [0, 1, 5, 9, 10, whole.length - 1]) {
      await expect(deserializeStatuses(5, whole.subarray(0, length))).rejects.toEqual(malformed);
    }
    await expect(deserializeStatuses(5, Buffer.concat([whole, Buffer.alloc(1)]))).rejects.toEqual(
      malformed,
    );
    const below = seeded(1);
    for (let round = 0; round < 500; round++) {
      const bytes = Uint8Array.from(whole);
      bytes[below(bytes.length)] = below(256);
      try {
        const { byMapIndex } = await deserializeStatuses(5, bytes);
        for (const mapIndex of byMapIndex.keys()) byMapIndex.get(mapIndex);
      } catch (error) {
        expect(error).toEqual(malformed);
      }
    }
  }

  it("that claim to be far larger than they can be are refused before memory is taken", async () => {
    const bytes = Buffer.from(await serializeStatuses(outputsOf(7, 9)));
    bytes.writeUInt32BE(2 ** 32 - 1, 1);
    await expect(deserializeStatuses(5, bytes)).rejects.toMatchObject({
      code: "STATUSES_MALFORMED",
      cause: expect.objectContaining({ message: expect.stringMatching(/^4294967295 in /) }),
    });
  });
});
