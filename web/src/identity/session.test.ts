import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { renameSession, sendChat } from '../api/client'
import { ANA, CODE, FakeBank, PASSWORD } from '../test/fakeBank'
import { BankSession, bankSession } from './session'

const NAME = { email: 'ana@example.org' }

let bank: FakeBank

function count(route: string): number {
  return bank.calls.filter((one) => one === route).length
}

function say(message: string) {
  return sendChat({ message }, new AbortController().signal)
}

beforeEach(() => {
  vi.useFakeTimers()
  bank = new FakeBank().install()
  bank.demo = false
})

afterEach(() => vi.useRealTimers())

describe('a visit', () => {
  it('by nobody asks for no refresh', async () => {
    await bankSession.start()
    expect(bankSession.view().standing.name).toBe('signed-out')
    expect(count('POST /api/auth/refresh')).toBe(0)
  })

  it('goes on with the session of the cookie', async () => {
    localStorage.setItem('harborlight.signed-in', 'yes')
    bank.cookie = true
    await bankSession.start()
    expect(bankSession.view().standing).toEqual({ name: 'signed-in', user: ANA })
  })

  it('with the cookie of a session that is over shows the sign-in and does not ask again', async () => {
    localStorage.setItem('harborlight.signed-in', 'yes')
    await bankSession.start()
    expect(bankSession.view().standing.name).toBe('signed-out')
    expect(localStorage.getItem('harborlight.signed-in')).toBeNull()
  })

  it('while the server is away goes on when it is back', async () => {
    localStorage.setItem('harborlight.signed-in', 'yes')
    bank.cookie = true
    bank.offline = true
    await bankSession.start()
    expect(bankSession.view().standing).toEqual({ name: 'starting', unreachable: true })
    bank.offline = false
    await vi.advanceTimersByTimeAsync(5_000)
    expect(bankSession.view().standing.name).toBe('signed-in')
  })

  it.each([
    ['good-code', 'signed-in'],
    ['stale-code', 'signed-out'],
  ])('with %s in the address is %s, and the address is cleaned', async (code, standing) => {
    window.location.hash = `#sign_in_code=${code}`
    await bankSession.start()
    expect(bankSession.view().standing.name).toBe(standing)
    expect(bankSession.view().notice === null).toBe(standing === 'signed-in')
    expect(window.location.href).not.toContain(code)
  })
})

describe('the access token', () => {
  beforeEach(async () => {
    await bankSession.start()
    await bankSession.signIn(NAME, PASSWORD)
  })

  it('is stored nowhere', () => {
    const stored = JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + document.cookie
    expect(stored).not.toContain('token')
  })

  it('is renewed before it ends', async () => {
    await vi.advanceTimersByTimeAsync(539_000)
    expect(count('POST /api/auth/refresh')).toBe(0)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(count('POST /api/auth/refresh')).toBe(1)
    expect(bankSession.view().standing.name).toBe('signed-in')
  })

  it('that is refused is renewed once, for all requests that were refused together, body and all', async () => {
    bank.tokens.clear()
    const replies = await Promise.all([say('one'), say('two'), say('three')])
    expect(replies).toHaveLength(3)
    expect(bank.asked.map(({ message }) => message).sort()).toEqual(['one', 'three', 'two'])
    expect(count('POST /api/auth/refresh')).toBe(1)
  })

  it('that is refused again is not renewed again', async () => {
    bank.tokens.clear()
    bank.tokens.add = () => bank.tokens
    await expect(say('hello')).rejects.toMatchObject({ kind: 'signed-out' })
    expect(count('POST /api/auth/refresh')).toBe(1)
  })

  it('never sends what one person began in the name of another', async () => {
    bank.tokens.clear()
    bank.user = { ...ANA, id: '0198a000-0000-7000-8000-00000000b0b0', display_name: 'Ben Carter' }
    await expect(say('pay my rent')).rejects.toMatchObject({ kind: 'signed-out' })
    expect(bank.asked).toEqual([])
    expect(bankSession.view().standing).toMatchObject({ name: 'signed-in', user: { display_name: 'Ben Carter' } })
  })

  it('stays while the server cannot be asked for another', async () => {
    bank.offline = true
    await vi.advanceTimersByTimeAsync(545_000)
    expect(bankSession.view().standing.name).toBe('signed-in')
    bank.offline = false
    await say('hello')
    expect(bank.asked).toHaveLength(1)
  })
})

describe('the end of a session', () => {
  beforeEach(async () => {
    await bankSession.start()
    await bankSession.signIn(NAME, PASSWORD)
  })

  it('that came from elsewhere asks to sign in again', async () => {
    bank.endSession()
    await expect(renameSession('0198a000-0000-7000-8000-000000000001', 'x')).rejects.toMatchObject({
      kind: 'signed-out',
    })
    expect(bankSession.view().standing).toEqual({ name: 'expired', user: ANA, why: 'ended' })
  })

  it('by sign-out ends it on the server and leaves nothing here', async () => {
    sessionStorage.setItem('harborlight.conversation', `${ANA.id}:some`)
    await bankSession.signOut()
    expect(bank.cookie).toBe(false)
    expect(bankSession.view()).toEqual({ standing: { name: 'signed-out' }, step: null, notice: null, linked: null })
    expect({ ...localStorage, ...sessionStorage }).toEqual({})
  })

  it('by sign-out renews a token that is over, so that the server can be told', async () => {
    bank.tokens.clear()
    await bankSession.signOut()
    expect(bank.cookie).toBe(false)
    expect(bankSession.view().notice).toBeNull()
  })

  it('by sign-out says so when the server could not be told', async () => {
    bank.offline = true
    const leaving = bankSession.signOut()
    expect(bankSession.view().standing.name).toBe('starting')
    await leaving
    expect(bankSession.view().notice).toContain('could not be told')
    bank.offline = false
    await vi.advanceTimersByTimeAsync(5_000)
    expect(bankSession.view().standing.name).toBe('signed-out')
    expect(bankSession.view().notice).toContain('could not be told')
  })

  it('by sign-out is not undone by a renewal under way', async () => {
    let open = () => undefined as void
    bank.meGate = new Promise((resolve) => {
      open = resolve
    })
    await vi.advanceTimersByTimeAsync(541_000)
    await bankSession.signOut()
    open()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(bankSession.view().standing.name).toBe('signed-out')
    expect(localStorage.getItem('harborlight.signed-in')).toBeNull()
  })
})

describe('the second step', () => {
  it('holds no session until it is answered', async () => {
    bank.asksSecondFactor = true
    await bankSession.start()
    await bankSession.signIn(NAME, PASSWORD)
    expect(bankSession.view()).toMatchObject({ standing: { name: 'signed-out' }, step: { ticket: 'ticket' } })
    await expect(bankSession.answer({ code: '000000' })).rejects.toMatchObject({ reason: 'wrong' })
    await bankSession.answer({ code: CODE })
    expect(bankSession.view()).toMatchObject({ standing: { name: 'signed-in' }, step: null })
  })
})

describe('two tabs', () => {
  it('renew one after the other', async () => {
    let queue: Promise<unknown> = Promise.resolve()
    let running = 0
    let most = 0
    const request = (_: string, work: () => Promise<void>) => {
      queue = queue.then(async () => {
        running += 1
        most = Math.max(most, running)
        await work()
        running -= 1
      })
      return queue
    }
    vi.stubGlobal('navigator', { ...navigator, locks: { request } })
    localStorage.setItem('harborlight.signed-in', 'yes')
    bank.cookie = true
    const tabs = [new BankSession(), new BankSession()]
    await Promise.all(tabs.map((tab) => tab.start()))
    expect(tabs.map((tab) => tab.view().standing.name)).toEqual(['signed-in', 'signed-in'])
    expect(count('POST /api/auth/refresh')).toBe(2)
    expect(most).toBe(1)
  })
})
