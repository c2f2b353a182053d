// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
export class TransportConf{ readonly module: string; readonly v: Readonly<Record<string,string>>; constructor(m:string,v:Readonly<Record<string,string>>={}){this.module=m;this.v=v;}
 #i(k: string, d: number): number { const t = this.v[`spark.${this.module}.${k}`]; return t === undefined ? d : parseInt(t, 10); }
 get connectionTimeoutMs(): number{return this.#i("io.connectionTimeout", 120)*1000}
 get connectionCreationTimeoutMs(): number{return this.#i("io.connectionCreationTimeout", 120)*1000} get backLog(): number{return -1} get enableTcpKeepAlive(): boolean{return false} get receiveBuffer(): number{return -1} get sendBuffer(): number{return -1}
 get numConnectionsPerPeer(): number{return this.#i("io.numConnectionsPerPeer", 1)} get retryWaitMs(): number{return this.#i("io.retryWait", 5)*1000} get maxRetries(): number { return this.#i("io.maxRetries", 3); } get portMaxRetries(): number { return 16; } get maxChunksBeingTransferred(): number{return parseInt(this.v["spark.shuffle.maxChunksBeingTransferred"]??"9007199254740991", 10)}}
