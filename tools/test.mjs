#!/usr/bin/env node
// `npm test`: every gate and every test, then one line `N passed, N failed`. What has not changed
// since it last passed comes from turbo's cache; `npm test -- --force` runs everything again.
import { dirname } from "node:path";
import process from "node:process";
import { runSuite } from "./checks/src/suite/run-suite.ts";

const root = dirname(import.meta.dirname);
process.exitCode = await runSuite(root, process.argv.slice(2));
