import { beforeEach, describe, expect, it } from 'vitest'
import { ANA, CODE, FakeBank, PASSWORD } from '../test/fakeBank'
import { deviceName } from './device'
import { BankSession } from './session'

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'

describe('the name of the browser', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on Windows'],
    [`Mozilla/5.0 (Windows NT 10.0) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`, 'Edge on Windows'],
    [`Mozilla/5.0 (Linux; Android 15; Pixel) ${WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36`, 'Chrome on Android'],
    [`${IPHONE} Version/18.1 Mobile/15E148 Safari/604.1`, 'Safari on iPhone'],
    [`${IPHONE} CriOS/140.0 Mobile/15E148 Safari/604.1`, 'Chrome on iPhone'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18.1 Safari/605', 'Safari on macOS'],
    ['', 'Web browser'],
    ['x'.repeat(5000), 'Web browser'],
  ])('of %s is %s', (userAgent, name) => expect(deviceName(userAgent)).toBe(name))
})

describe('the server is told the same name', () => {
  let bank: FakeBank

  beforeEach(() => {
    bank = new FakeBank().install()
    bank.demo = false
  })

  it('at the sign-in, its second step and every renewal', async () => {
    bank.asksSecondFactor = true
    const session = new BankSession()
    await session.start()
    await session.signIn({ email: ANA.email ?? '' }, PASSWORD)
    await session.answer({ code: CODE })
    bank.tokens.clear()
    await session.send(new Request(new URL('/api/auth/mfa/status', window.location.origin)))
    expect(bank.devices).toEqual([deviceName(), deviceName(), deviceName()])
  })

  it('with the code of a provider', async () => {
    window.location.hash = '#sign_in_code=good-code'
    await new BankSession().start()
    expect(bank.devices).toEqual([deviceName()])
  })
})
