// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
import type { Clock, Timer } from "../platform/platform.ts";
type E = { at: number; c: () => void };
export class ManualClock implements Clock { #now=0; #t: E[]=[]; nowMs(): number{return this.#now;} wallTimeMs(): number{return this.#now;} setTimer(d:number,c:()=>void):Timer{const e={at:this.#now+d,c};this.#t.push(e);return {cancel:()=>{this.#t=this.#t.filter(x=>x!==e)}};} setImmediate(c:()=>void):Timer{setImmediate(c);return {cancel(){}};} async sleep(): Promise<void>{}
 advance(ms:number): void{const end=this.#now+ms; for(;;){const n=this.#t.filter(x=>x.at<=end).sort((a,b)=>a.at-b.at)[0]; if(!n)break; this.#t=this.#t.filter(x=>x!==n); this.#now=n.at; n.c();} this.#now=end;} }
