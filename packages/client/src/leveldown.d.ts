// The part of leveldown 6.1 that LevelFolder uses; the package has no types of its own.
declare module 'leveldown' {
  type Callback<T extends unknown[] = []> = (error: Error | null | undefined, ...result: T) => void

  export interface LeveldownOptions {
    createIfMissing?: boolean
    compression?: boolean
    cacheSize?: number
    writeBufferSize?: number
    maxOpenFiles?: number
  }

  export interface LeveldownBatch {
    put(key: Buffer, value: Buffer): this
    del(key: Buffer): this
    write(options: { sync: boolean }, callback: Callback): void
  }

  export interface LeveldownIterator {
    next(callback: Callback<[key?: Buffer, value?: Buffer]>): void
    end(callback: Callback): void
  }

  export interface Leveldown {
    open(options: LeveldownOptions, callback: Callback): void
    close(callback: Callback): void
    batch(): LeveldownBatch
    iterator(options: {
      gte: Buffer
      lt: Buffer
      limit?: number
      highWaterMark?: number
      fillCache?: boolean
    }): LeveldownIterator
    compactRange(start: Buffer, end: Buffer, callback: Callback): void
  }

  export default function leveldown(location: string): Leveldown
}
