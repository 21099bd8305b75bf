// Before the first test: what tests start is built from what is there.
import { build } from '../../scripts/prepare.mjs'

export function setup() {
  build()
}
