const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** How long ago `then` was at the time `now`, as a person would say it. */
export function agoText(then: number, now: number, locale?: string): string {
  const ago = Math.max(0, now - then)
  if (ago < minute) return 'just now'
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  if (ago < hour) return relative.format(-Math.floor(ago / minute), 'minute')
  const isSameDay = new Date(then).toDateString() === new Date(now).toDateString()
  if (isSameDay) return relative.format(-Math.floor(ago / hour), 'hour')
  const days = Math.round((startOfDay(now) - startOfDay(then)) / day)
  if (days < 7) return relative.format(-days, 'day')
  const isSameYear = new Date(then).getFullYear() === new Date(now).getFullYear()
  return new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    ...(isSameYear ? {} : { year: 'numeric' }),
  }).format(then)
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0)
}
