/** The first release of Node that `bm` runs on, as the package says under "engines". */
const OLDEST = { major: 22, minor: 18 };

/** What to tell whoever runs `bm` on `version` of Node; null when it is new enough. */
export function nodeTooOld(version: string): string | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
  if (isNewEnough) return null;
  return `Node ${OLDEST.major}.${OLDEST.minor} or later is needed, and this is ${version}`;
}
