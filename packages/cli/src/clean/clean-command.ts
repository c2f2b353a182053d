import { Command } from "commander";
import type { CommandOutput } from "../serve/run-serve.ts";
import { type CleanFlags, runClean } from "./run-clean.ts";

const EXPLANATION = `
An orphan is a directory of a shape that Spark makes (spark-<uuid>/executor-<uuid>,
blockmgr-<uuid>, merge_manager[_<attempt>], also in YARN's usercache), that holds files, that no
registered executor and no running executor process owns, and in which nothing was touched for the
whole time. Symbolic links are never followed. Drivers register nowhere: give a time for which none
on this machine leaves its files alone.

Registrations are read from bm-registered-executors.ldb in the directories or from --db. While the
service runs only it can read them, so name it with --service.

  bm clean --dir /data/1 --dir /data/2 --service http://127.0.0.1:7338
  bm clean --dir /data/1 --older-than 14d --keep 50g --delete`;

/** `bm clean`. Without `--delete` it only says what it would do. */
export function cleanCommand(output: CommandOutput): Command {
  return new Command("clean")
    .description("find, and with --delete remove, what Spark left behind in local directories")
    .requiredOption("-d, --dir <dir...>", "directories under which executors write")
    .option("--older-than <time>", "nothing in it was touched for this long", "7d")
    .option("--keep <size>", "leave the most recent ones, up to this size together", "0")
    .option("--delete", "delete them", false)
    .option("--service <url>", "HTTP address of the service that runs")
    .option("--db <path...>", "databases of registrations")
    .addHelpText("after", EXPLANATION)
    .action((flags: CleanFlags) => runClean(flags, output));
}
