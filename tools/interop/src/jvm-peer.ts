/** The Java programs as processes. */
import { buildJvmPeer } from "./jvm-build.ts";
import { type PeerAnswer, type PeerFields, PeerProcess } from "./peer-process.ts";

/** Settings that the reflective access of Netty and Spark wants on Java 17. */
const JVM_FLAGS = [
  "--add-opens=java.base/java.nio=ALL-UNNAMED",
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
  "-Xmx1g",
];

/** Starts the class `main` of the package `bm.interop`; `first` is its first line of input. */
export async function startJvmPeer(
  main: string,
  first: PeerFields,
): Promise<[PeerProcess, PeerAnswer]> {
  const classPath = await buildJvmPeer();
  const args = [...JVM_FLAGS, "-cp", classPath, `bm.interop.${main}`];
  return PeerProcess.start({ command: "java", args, first });
}
