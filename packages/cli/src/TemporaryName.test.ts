import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { clearLeftovers, temporaryName } from './TemporaryName.ts'

it('takes away what ended processes left of that name, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weft-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { pid } = spawnSync('true')
  const own = temporaryName('.x')
  const ofDead = own.replace(`-${process.pid}-`, `-${pid}-`)
  const ofOtherMachine = ofDead.replace(/weft-.{8}/, 'weft-00000000')
  const others = [own, ofOtherMachine, ofDead.replace('.x', '.y'), '.x.weft', 'x']
  for (const name of [ofDead, ...others]) await writeFile(join(folder, name), '')
  const ofDeadToo = temporaryName('.x').replace(`-${process.pid}-`, `-${pid}-`)
  await mkdir(join(folder, ofDeadToo, 'deep'), { recursive: true })
  await clearLeftovers(folder, '.x')
  expect((await readdir(folder)).sort()).toEqual([...others].sort())
  await clearLeftovers(join(folder, 'not there'), '.x')
})
