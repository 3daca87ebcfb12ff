const monthAndYear = new Intl.DateTimeFormat(undefined, { month: 'long', year: 'numeric', timeZone: 'UTC' })

export interface Month {
  /** Like 2026-10. */
  value: string
  title: string
}

/** The last months in UTC, as the bank counts them, this one first. */
export function lastMonths(count: number, now: Date): Month[] {
  return Array.from({ length: count }, (_, ago) => {
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1))
    const title = monthAndYear.format(first)
    return { value: first.toISOString().slice(0, 7), title: ago === 0 ? `${title}, so far` : title }
  })
}
