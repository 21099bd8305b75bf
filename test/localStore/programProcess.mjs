// node programProcess.mjs FOLDER: a program whose documents are kept in a LevelDB folder; calls come over the channel of `fork`.
import { argv } from 'node:process'
import { levelStore } from '@weft/client/leveldb'
import { answer, createProgram } from './program.mjs'

const program = createProgram(name => levelStore(argv[2], name))
process.on('message', async ({ id, name, args }) => {
  process.send({ id, ...(await answer(program, name, args)) })
})
process.on('disconnect', () => process.exit())
