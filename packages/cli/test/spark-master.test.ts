import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { nodePlatform } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endedApplications } from "../src/serve/spark-master.ts";

const { clock } = nodePlatform();
const PAGE = {
  url: "spark://master:7077",
  activeapps: [{ id: "app-1", state: "RUNNING" }],
  completedapps: [{ id: "app-2", state: "FINISHED" }, { id: "app-1" }, {}, null],
};

let server: Server;
let master: string;
let answer: [number, string];

beforeEach(async () => {
  answer = [200, JSON.stringify(PAGE)];
  server = createServer((request, response) => {
    response.writeHead(request.url === "/json/" ? answer[0] : 404).end(answer[1]);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  master = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => void server.close());

describe("a Spark master", () => {
  it("tells which applications are completed", async () => {
    const asked = ["app-1", "app-2", "app-3"];
    expect(await endedApplications(master, asked, clock)).toEqual(["app-2"]);
  });

  it.each([
    ["fails", [500, ""]],
    ["answers with something else", [200, "<html>"]],
  ] as const)("that %s is an error, and no application counts as ended", async (_, answered) => {
    answer = [...answered];
    await expect(endedApplications(master, ["app-2"], clock)).rejects.toThrow("--spark-master");
  });

  it.each(["null", "[]", '{"completedapps":{"id":"app-2"}}'])(
    "that answers %s names none",
    async (text) => {
      answer = [200, text];
      expect(await endedApplications(master, ["app-2"], clock)).toEqual([]);
    },
  );
});
