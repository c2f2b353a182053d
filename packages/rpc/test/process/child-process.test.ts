import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type RpcAddress, RpcEnv } from "@bm/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { Add, Fail, Note, Read } from "../messages.ts";

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function startNotebook(): Promise<{ child: ChildProcess; address: RpcAddress }> {
  const script = new URL("./notebook-process.ts", import.meta.url);
  const child = fork(script, { execArgv: ["--conditions=@bm/source"] });
  children.push(child);
  const [address] = (await once(child, "message")) as [RpcAddress];
  return { child, address };
}

describe("another process", () => {
  it("is asked, fails with codes, and is missed when it dies", async () => {
    const { child, address } = await startNotebook();
    await using env = await RpcEnv.create({ name: "parent", isClientOnly: true });
    const ref = env.endpointRef(address, "notebook");

    await expect(ref.ask(Add, 41)).resolves.toBe(41);
    await ref.send(Note, "from the parent");
    await expect(ref.ask(Read, undefined)).resolves.toEqual(["from the parent"]);
    await expect(ref.ask(Fail, "torn")).rejects.toMatchObject({ remoteCode: "NOTE_LOST" });

    child.kill("SIGSTOP");
    const unanswered = ref.ask(Add, 1);
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await expect(unanswered).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await exited;
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });
});
