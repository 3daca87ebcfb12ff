import { describe, expect, it } from 'vitest'
import { lastMonths } from './months'

describe('the last months', () => {
  it('go back over the new year, this one first', () => {
    expect(lastMonths(3, new Date('2026-01-31T12:00:00Z')).map(({ value }) => value)).toEqual([
      '2026-01',
      '2025-12',
      '2025-11',
    ])
  })

  it('are those of UTC, as the bank counts them', () => {
    expect(lastMonths(1, new Date('2026-03-01T00:30:00+02:00'))[0]).toEqual({
      value: '2026-02',
      title: 'February 2026, so far',
    })
  })
})
