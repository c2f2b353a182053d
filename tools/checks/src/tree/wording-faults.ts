import type { Finding } from "../finding.ts";

/**
 * A slash, a folder that belongs to one person or machine, and more: `/data/shuffle` passes. The
 * bracket keeps this file from being a finding of its own.
 */
const MACHINE_PATH = /(?<![\w.})\]/-])[/](?:work|root|home|Users|tmp)[/][\w.-]/;
const OUTSIDE_FOLDER = /\.\.[/]shared\b|\bshared[/]spec\b/;

const URL_HOST = /\b[a-z][a-z0-9+]*:\/\/(?:[^\s/@"'`]*@)?(\[[^\]]*\]|[\w.-]+)/gi;
const PRIVATE_SUFFIX = /\.(?:internal|intranet|local|lan|corp|private|home\.arpa)$/i;
const PRIVATE_ADDRESS = /^(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.[\d.]+$/;
const PRIVATE_NAME = /(?<![\w.-])(?:[\w-]+\.)+(?:intranet|lan|corp|home\.arpa)(?![\w.-])/i;

/** A fault in a text, without its file. */
export type WordingFault = Omit<Finding, "file">;

/** Finds paths of one machine and hosts that only one network knows. */
export function wordingFaults(text: string): WordingFault[] {
  return text.split("\n").flatMap((line, index) => faultsOfLine(line, index + 1));
}

function faultsOfLine(text: string, line: number): WordingFault[] {
  const faults: WordingFault[] = [];
  const path = MACHINE_PATH.exec(text) ?? OUTSIDE_FOLDER.exec(text);
  if (path !== null) {
    const fix = "use a relative path, os.tmpdir(), or a neutral one such as /data/blocks";
    faults.push({ line, message: `path of one machine: ${path[0]}`, fix });
  }
  const host = privateHost(text);
  if (host !== undefined) {
    const fix = "use localhost or a reserved name such as host.example";
    faults.push({ line, message: `private host: ${host}`, fix });
  }
  return faults;
}

function privateHost(text: string): string | undefined {
  const inUrls = [...text.matchAll(URL_HOST)].map((match) => match[1] ?? "");
  const found = inUrls.find((host) => PRIVATE_SUFFIX.test(host) || PRIVATE_ADDRESS.test(host));
  return found ?? PRIVATE_NAME.exec(text)?.[0];
}
