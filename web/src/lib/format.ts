import type { Money } from '../api/types'

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const currencies = new Map<string, Intl.NumberFormat>()

const DAY_MS = 86_400_000

export function timeOfDay(iso: string): string {
  return clock.format(new Date(iso))
}

/** Date and time where the reader is. */
export function dateAndTime(iso: string): string {
  return dayAndTime.format(new Date(iso))
}

export function recentDate(iso: string, now: Date): string {
  const moment = new Date(iso)
  const daysAgo = Math.round((startOfDay(now) - startOfDay(moment)) / DAY_MS)
  if (daysAgo <= 0) return clock.format(moment)
  if (daysAgo === 1) return 'Yesterday'
  if (daysAgo < 7) return weekday.format(moment)
  return (moment.getFullYear() === now.getFullYear() ? day : dayOfYear).format(moment)
}

/** An exact amount in its currency; with `signed` what came in carries its sign too. */
export function money({ amount, currency }: Money, signed = false): string {
  const signDisplay = signed ? 'exceptZero' : 'auto'
  const key = `${currency} ${signDisplay}`
  let format = currencies.get(key)
  if (!format) {
    format = new Intl.NumberFormat(undefined, { style: 'currency', currency, signDisplay })
    currencies.set(key, format)
  }
  return format.format(amount as Intl.StringNumericLiteral)
}

/** The day where the reader is. */
export function dayOf(iso: string): string {
  return dayOfYear.format(new Date(iso))
}

export function percent(fraction: number): number {
  return Math.round(Math.min(1, Math.max(0, fraction)) * 100)
}

export function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.max(1, Math.round(milliseconds))} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`
}

export function humanize(name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function startOfDay(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime()
}
