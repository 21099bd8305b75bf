import { closeCode } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { describeSettings } from '../../server/dist/describeSettings.js'
import { findMarkers, readThreatTable } from './threatTable.ts'

const rows = readThreatTable()
const markers = findMarkers()
const ids = rows.map(({ id }) => id)

describe('the tables of SECURITY.md', () => {
  it('number their rows without a gap', () => {
    const last = new Map<string, number>()
    for (const id of ids) {
      const number = Number(id.slice(1))
      expect([id, number]).toEqual([id, (last.get(id.charAt(0)) ?? 0) + 1])
      last.set(id.charAt(0), number)
    }
    expect(Object.fromEntries(last)).toEqual({ K: 10, U: 6, C: 9, A: 2, D: 6, S: 9, P: 8, E: 5, F: 12 })
  })

  it('have a test for each row, which has the row’s id in its title', () => {
    expect(ids.filter(id => !markers.files.has(id))).toEqual([])
  })

  it('are all that titles of tests refer to', () => {
    expect([...markers.files.keys()].filter(id => !ids.includes(id))).toEqual([])
    expect(markers.astray).toEqual([])
  })

  it('name files that hold such a test', () => {
    for (const { id, tests } of rows) {
      expect([id, tests.filter(file => !markers.files.get(id)?.has(file))]).toEqual([id, []])
      expect([id, tests.length > 0]).toEqual([id, true])
    }
  })

  it('name settings that there are, with their defaults', () => {
    const defaults = new Map(describeSettings().map(setting => [setting.env, setting.default]))
    for (const { id, settings } of rows) {
      for (const setting of settings)
        expect([id, setting.env, setting.default]).toEqual([id, setting.env, defaults.get(setting.env)])
    }
  })

  it('have every close code with its word, and no other code', () => {
    const codes = Object.values(closeCode)
    const all = codes.map(({ code, word }) => `${code} ${word}`)
    const said = rows
      .filter(({ id }) => id.startsWith('K'))
      .flatMap(({ threat }) => [...threat.matchAll(/(\d{4}) `([a-z-]+)`/gu)].map(([, code, word]) => `${code} ${word}`))
    expect(said.sort()).toEqual(all.sort())
    // Numbers of four digits are written with a comma or a space, where they are no codes.
    for (const { id, text } of rows) {
      const named = [...text.matchAll(/(?<![\d,.])(?:10[01]\d|44\d\d)(?![\d,.]\d)(?!\d)/gu)].map(([code]) =>
        Number(code),
      )
      expect([id, named.filter(code => !codes.some(known => known.code === code))]).toEqual([id, []])
    }
  })
})
