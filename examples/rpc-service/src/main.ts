#!/usr/bin/env node
/** The artifact store as a command. Exit codes: 0 done, 1 it failed. */
import { formatRpcAddress, parseRpcAddress, type RpcAddress } from "@bm/rpc";
import { Command } from "commander";
import { get, put, type Session, watch, withServer } from "./client.ts";
import { List } from "./messages.ts";
import { serve } from "./server.ts";

const PLACE = parseRpcAddress("127.0.0.1:7400");
const interrupted = new Promise((resolve) =>
  process.once("SIGINT", resolve).once("SIGTERM", resolve),
);

const program = new Command("artifacts")
  .description("A store of files of any size, each called by the SHA-256 of its content.")
  .option("--server <host:port>", "where the server listens", parseRpcAddress, PLACE);

program
  .command("serve <directory>")
  .description("keep artifacts in a directory")
  .option("--host <address>", "address to bind", PLACE.host)
  .option("--port <number>", "0 lets the system choose", Number, PLACE.port)
  .action((directory: string, place: RpcAddress) =>
    serve(place, directory, (at) => console.log(`serving on ${formatRpcAddress(at)}`), interrupted),
  );

ask("list", "every artifact", async ({ artifacts }) => {
  for (const key of await artifacts.ask(List, undefined)) console.log(key);
});
ask("put <file>", "send a file; prints its key", async (session, file) => {
  console.log(await put(session, file));
});
ask("get <key> <file>", "write an artifact to a file", get);
ask("watch", "print the key of each artifact that arrives", async (session) => {
  await watch(session, (key) => console.log(key));
  console.log("watching");
  await interrupted;
});

try {
  await program.parseAsync();
} catch (error) {
  console.error(`artifacts: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

type Action = (session: Session, first: string, second: string) => Promise<void>;

function ask(usage: string, description: string, action: Action): void {
  const command = program.command(usage).description(description);
  command.action((first: string, second: string) => {
    const { server } = program.opts<{ server: RpcAddress }>();
    return withServer(server, (session) => action(session, first, second));
  });
}
