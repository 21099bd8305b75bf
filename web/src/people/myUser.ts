import { computed } from '@preact/signals'
import { me, namelessName } from '../device/me.ts'
import { colorOf } from './color.ts'

/** This person as the others see them: awareness `user`. */
export const myUser = computed(() => ({
  id: me.value.id,
  name: me.value.name === '' ? namelessName : me.value.name,
  color: colorOf(me.value.id),
}))
