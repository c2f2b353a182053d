// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
import type { Files } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import { type BodyReader, ManagedBuffer } from "./managed-buffer.ts";
export interface FileSegmentOptions { readonly files: Files; readonly path: string; readonly offset: number; readonly length: number }
export class FileSegmentManagedBuffer extends ManagedBuffer { readonly o: FileSegmentOptions; constructor(o: FileSegmentOptions){super();this.o=o;} get size(): number{return this.o.length} get path(): string { return this.o.path; } get offset(): number { return this.o.offset; } get length(): number { return this.o.length; }
 async open(): Promise<BodyReader>{ let f: Awaited<ReturnType<Files["open"]>>; try { f = await this.o.files.open(this.o.path, "read"); } catch (cause) { throw new TransportError("BODY_UNAVAILABLE", this.o.path, { cause }); } let p=0; return {next:async()=>{ const left = this.o.length - p; if(left<=0) return null; const b = Buffer.alloc(Math.min(left, 262144)); const n = await f.read(b, this.o.offset + p); if (n < b.length) throw new TransportError("BODY_UNAVAILABLE", `${this.o.path} is too short`); p+=n; return b;}, close:()=>f.close()}; } }
