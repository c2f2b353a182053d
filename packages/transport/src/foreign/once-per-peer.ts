// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
export class OncePerPeer { #s=new Set<string>(); constructor(_c: unknown){} shouldReport(h:string): boolean { if(this.#s.has(h)) return false; this.#s.add(h); return true;} }
