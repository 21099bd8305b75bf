import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'

/**
 * Puts /dev/full, a device without space, in the place of the descriptor through which LevelDB writes its log: what it writes
 * next fails with ENOSPC, from the kernel. In this process, on Linux, needs no rights.
 */
export function fillDiskUnderLog(folder: string): void {
  const descriptor = readdirSync('/proc/self/fd').find(fd => {
    try {
      return (
        /\/\d+\.log$/.test(readlinkSync(`/proc/self/fd/${fd}`)) &&
        readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
      )
    } catch {
      return false // the descriptor of this very listing
    }
  })
  if (descriptor === undefined) throw new Error(`no log of LevelDB is open in ${folder}`)
  closeSync(Number(descriptor))
  const others: number[] = []
  for (;;) {
    const fd = openSync('/dev/full', 'r+')
    if (fd === Number(descriptor)) break
    others.push(fd)
  }
  others.forEach(closeSync)
}
