import { describe, expect, it } from 'vitest'
import { duration, humanize, money, percent, recentDate } from './format'

const now = new Date(2025, 10, 21, 9, 0)

describe('recentDate', () => {
  it('names yesterday although fewer than 24 hours have passed', () => {
    expect(recentDate(new Date(2025, 10, 20, 23, 30).toISOString(), now)).toBe('Yesterday')
  })

  it('names the weekday within a week', () => {
    const tuesday = new Date(2025, 10, 18, 12)
    const expected = new Intl.DateTimeFormat(undefined, { weekday: 'long' }).format(tuesday)
    expect(recentDate(tuesday.toISOString(), now)).toBe(expected)
  })

  it('adds the year to a date of another year', () => {
    expect(recentDate(new Date(2024, 4, 2).toISOString(), now)).toContain('2024')
    expect(recentDate(new Date(2025, 4, 2).toISOString(), now)).not.toContain('2025')
  })
})

describe('money', () => {
  it("is written exactly, however large, with the currency's own digits", () => {
    expect(money({ amount: '9007199254740993.07', currency: 'USD' })).toContain('9,007,199,254,740,993.07')
    expect(money({ amount: '1500', currency: 'JPY' })).toMatch(/1,500$/)
  })

  it('has a sign where it is asked for', () => {
    expect(money({ amount: '12.50', currency: 'USD' }, true)).toBe('+$12.50')
    expect(money({ amount: '-12.50', currency: 'USD' }, true)).toBe('-$12.50')
  })
})

describe('numbers and names', () => {
  it.each([
    [0.974, 97],
    [1.2, 100],
    [-0.1, 0],
  ])('shows %f as %i percent', (fraction, expected) => {
    expect(percent(fraction)).toBe(expected)
  })

  it.each([
    [0.2, '1 ms'],
    [183.4, '183 ms'],
    [1250, '1.3 s'],
  ])('shows %f milliseconds as %s', (milliseconds, expected) => {
    expect(duration(milliseconds)).toBe(expected)
  })

  it('turns an intent name into words', () => {
    expect(humanize('lost_or_stolen_card')).toBe('Lost or stolen card')
  })
})
