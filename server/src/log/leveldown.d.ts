// The part of leveldown 6.1 that LevelStore uses; the package has no types of its own.
declare module 'leveldown' {
  type Callback<T extends unknown[] = []> = (error: Error | null | undefined, ...result: T) => void

  export interface LeveldownOptions {
    createIfMissing?: boolean
    errorIfExists?: boolean
    compression?: boolean
    cacheSize?: number
    writeBufferSize?: number
    blockSize?: number
    maxOpenFiles?: number
    maxFileSize?: number
  }

  export interface LeveldownBatch {
    put(key: Buffer, value: Buffer): this
    del(key: Buffer): this
    write(options: { sync: boolean }, callback: Callback): void
  }

  export interface LeveldownIterator {
    next(callback: Callback<[key?: Buffer, value?: Buffer]>): void
    /** Synchronous, disk and all. Not while a `next` is under way. */
    seek(target: Buffer): void
    end(callback: Callback): void
  }

  export interface Leveldown {
    open(options: LeveldownOptions, callback: Callback): void
    close(callback: Callback): void
    getMany(
      keys: Buffer[],
      options: { asBuffer: true; fillCache?: boolean },
      callback: Callback<[(Buffer | undefined)[]]>,
    ): void
    batch(): LeveldownBatch
    iterator(options: {
      gte?: Buffer
      lt?: Buffer
      limit?: number
      values?: boolean
      highWaterMark?: number
      fillCache?: boolean
    }): LeveldownIterator
    approximateSize(start: Buffer, end: Buffer, callback: Callback<[number]>): void
    compactRange(start: Buffer, end: Buffer, callback: Callback): void
  }

  export default function leveldown(location: string): Leveldown
}
