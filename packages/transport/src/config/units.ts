// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
export const parseByteSize = (t: string): number => parseInt(t, 10); export const parseDurationMs = (t: string): number => parseInt(t, 10);
