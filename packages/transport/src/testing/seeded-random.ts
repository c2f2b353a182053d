// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
export const createSeededRandom = 1;
