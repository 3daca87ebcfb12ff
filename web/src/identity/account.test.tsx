import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { dateAndTime } from '../lib/format'
import * as leave from '../lib/leave'
import {
  ANA,
  CODE,
  FakeBank,
  HERE,
  PASSWORD,
  PROVIDER_URL,
  SIGN_IN_AGAIN,
  ownSession,
} from '../test/fakeBank'
import { renderPage } from '../test/renderPage'
import { bankSession } from './session'

const LAPTOP = ownSession()
const NAMELESS = ownSession({ id: '0198a000-0000-7000-8000-0000000000c2', device: null })

let bank: FakeBank

beforeEach(() => {
  bank = new FakeBank().install()
  bank.demo = false
})

function press(name: string | RegExp): void {
  fireEvent.click(screen.getByRole('button', { name }))
}

function fill(label: string, text: string): void {
  fireEvent.change(screen.getByLabelText(label), { target: { value: text } })
}

function giveName(): void {
  fill('E-mail or customer number', 'ana@example.org')
  fill('Password', PASSWORD)
  press('Sign in')
}

async function signedInAt(hash: string, heading: string): Promise<HTMLElement> {
  window.location.hash = hash
  await renderPage({ until: 'Sign in' })
  giveName()
  return screen.findByRole('heading', { name: heading })
}

function resume(): void {
  localStorage.setItem('harborlight.signed-in', 'yes')
  bank.cookie = true
}

/** As the server writes it into the page's head. */
function offerGoogle(): HTMLMetaElement {
  const meta = document.createElement('meta')
  meta.name = 'sign-in-providers'
  meta.content = 'google'
  document.head.append(meta)
  return meta
}

describe('a second factor that must be', () => {
  beforeEach(() => {
    bank.user = { ...ANA, second_factor_required: true }
  })

  it('is led to, with the conversation closed whatever the address says', async () => {
    const title = await signedInAt('', 'Set up a second factor')
    expect(document.activeElement).toBe(title)
    expect(screen.getByText(/and you signed in without one/)).toBeTruthy()
    for (const hash of ['', '#account']) {
      window.location.hash = hash
      window.dispatchEvent(new HashChangeEvent('hashchange'))
      expect(screen.queryByTestId('composer')).toBeNull()
      expect(screen.queryByRole('heading', { name: 'Your account' })).toBeNull()
    }
    expect(bank.calls.filter((call) => call.includes('/api/v2/') && !call.endsWith('/demo'))).toEqual([])
  })

  it('opens the conversation after a sign-in with it', async () => {
    await signedInAt('', 'Set up a second factor')
    fireEvent.click(await screen.findByRole('button', { name: 'Set up an app' }))
    await screen.findByTestId('totp-secret')
    fill('Code from your authenticator app', CODE)
    press('Confirm the code')
    await screen.findByRole('heading', { name: 'Sign in again' })
    expect(screen.getByText(/Your second factor is set up/)).toBeTruthy()
    expect(bank.tokens.size).toBe(0)
    bank.asksSecondFactor = true
    bank.user = ANA
    giveName()
    await screen.findByRole('heading', { name: 'One more step' })
    fill('Code from your authenticator app', CODE)
    press('Sign in')
    expect(await screen.findByTestId('composer')).toBeTruthy()
  })

  it('that was set up elsewhere meanwhile is to be signed in with', async () => {
    bank.factors = { totp: true, passkeys: [] }
    await signedInAt('', 'Set up a second factor')
    fireEvent.click(await screen.findByRole('button', { name: 'Sign in again' }))
    expect(await screen.findByRole('heading', { name: 'Sign in again' })).toBeTruthy()
  })

  it('can be left by signing out', async () => {
    await signedInAt('', 'Set up a second factor')
    fireEvent.click(screen.getByTestId('sign-out'))
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeTruthy()
  })

  it('is seen when a renewal says so', async () => {
    bank.user = ANA
    await signedInAt('#account', 'Your account')
    bank.user = { ...ANA, second_factor_required: true }
    bank.tokens.clear()
    await bankSession.send(new Request(new URL('/api/auth/mfa/status', window.location.origin)))
    expect(await screen.findByRole('heading', { name: 'Set up a second factor' })).toBeTruthy()
  })
})

describe('where the person is signed in', () => {
  beforeEach(() => {
    bank.places = [HERE, LAPTOP, NAMELESS]
  })

  async function list(): Promise<HTMLElement> {
    await signedInAt('#account', 'Where you are signed in')
    return screen.findByRole('list', { name: 'Your sessions' })
  }

  it('lists the device, when it began and was used in local time, and marks this session', async () => {
    const rows = within(await list()).getAllByRole('listitem')
    expect(rows).toHaveLength(3)
    expect(rows[0]?.textContent).toContain('Safari on macOSThis session')
    expect(rows[0]?.querySelector('button')).toBeNull()
    expect(rows[1]?.textContent).toContain('Firefox on Linux')
    expect(rows[1]?.textContent).not.toContain('This session')
    expect(rows[1]?.textContent).toContain(dateAndTime(LAPTOP.started_at))
    expect(rows[1]?.textContent).toContain(dateAndTime(LAPTOP.last_used_at))
    expect(rows[2]?.textContent).toContain('A device without a name')
  })

  it('ends one, says so and puts the focus on the heading', async () => {
    await list()
    press(/End the session: Firefox on Linux/)
    expect((await screen.findByText('Firefox on Linux: signed out.')).getAttribute('role')).toBe('status')
    expect(bank.places).toEqual([HERE, NAMELESS])
    expect(screen.getAllByRole('button', { name: /End the session/ })).toHaveLength(1)
    expect(document.activeElement).toBe(screen.getByRole('heading', { name: 'Where you are signed in' }))
  })

  it('takes one off the list that was over already', async () => {
    await list()
    bank.places = [HERE, NAMELESS]
    press(/End the session: Firefox on Linux/)
    expect(await screen.findByText('Firefox on Linux: the session was over already.')).toBeTruthy()
    expect(screen.getAllByRole('button', { name: /End the session/ })).toHaveLength(1)
  })

  it('ends all others at once, and then has no such button', async () => {
    await list()
    press('End all others')
    expect(await screen.findByText('You are signed in here only.')).toBeTruthy()
    expect(bank.places).toEqual([HERE])
    expect(screen.queryByRole('button', { name: 'End all others' })).toBeNull()
  })

  it.each(['End all others', /End the session: Firefox/])(
    'asks for a sign-in of late and comes back: %s',
    async (button) => {
      await list()
      bank.placesFailures = [SIGN_IN_AGAIN]
      press(button)
      expect((await screen.findByTestId('form-problem')).textContent).toContain('the last 15 minutes')
      expect(bank.places).toHaveLength(3)
      press('Sign in again')
      await screen.findByRole('heading', { name: 'Sign in again' })
      expect(screen.getByText(/Afterwards you are back where you were/)).toBeTruthy()
      giveName()
      expect(await screen.findByRole('list', { name: 'Your sessions' })).toBeTruthy()
      expect(window.location.hash).toBe('#account')
    },
  )

  it('offers another try where the list did not come', async () => {
    bank.placesFailures = [{ status: 503, message: 'Try again in a moment.' }]
    await signedInAt('#account', 'Where you are signed in')
    fireEvent.click(await screen.findByRole('button', { name: 'Try again' }))
    expect(await screen.findByRole('list', { name: 'Your sessions' })).toBeTruthy()
  })
})

describe('a sign-in of late', () => {
  it('is asked for amid a change of factors, and not to begin it again', async () => {
    bank.factors = { totp: true, passkeys: [] }
    await signedInAt('#account', 'Your account')
    fireEvent.click(await screen.findByRole('button', { name: 'Remove the app' }))
    await screen.findByLabelText('Code from your authenticator app')
    bank.factorFailures = [SIGN_IN_AGAIN]
    fill('Code from your authenticator app', CODE)
    press('Remove the app')
    expect(await screen.findByRole('button', { name: 'Sign in again' })).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Begin again' })).toBeNull()
  })

  it('is not offered for another refusal', async () => {
    await signedInAt('#account', 'Your account')
    await screen.findByRole('button', { name: 'Set up an app' })
    bank.factorFailures = [{ ...SIGN_IN_AGAIN, details: { reason: 'locked' } }]
    press('Set up an app')
    await screen.findByTestId('form-problem')
    expect(screen.queryByRole('button', { name: 'Sign in again' })).toBeNull()
  })

  it('with a provider comes back to the account page, once', async () => {
    const meta = offerGoogle()
    await signedInAt('#account', 'Your account')
    await bankSession.signInAgain()
    const link = await screen.findByRole('link', { name: 'Sign in with Google' })
    link.addEventListener('click', (event) => event.preventDefault())
    fireEvent.click(link)
    meta.remove()
    window.location.hash = '#sign_in_code=good-code'
    await bankSession.start()
    expect(bankSession.view().standing.name).toBe('signed-in')
    expect(window.location.hash).toBe('#account')
    expect({ ...sessionStorage }).toEqual({})
  })
})

describe('linking an account with a provider', () => {
  it('goes to the provider, after a sign-in of late', async () => {
    const meta = offerGoogle()
    const leaving = vi.spyOn(leave, 'leaveFor').mockReturnValue(undefined)
    await signedInAt('#account', 'Sign-in with another account')
    bank.linkFailures = [SIGN_IN_AGAIN]
    press('Link Google')
    expect(await screen.findByRole('button', { name: 'Sign in again' })).toBeTruthy()
    expect(leaving).not.toHaveBeenCalled()
    press('Link Google')
    await waitFor(() => expect(leaving).toHaveBeenCalledWith(PROVIDER_URL))
    meta.remove()
  })

  it('is not offered where the server has no providers', async () => {
    await signedInAt('#account', 'Your account')
    expect(screen.queryByRole('heading', { name: 'Sign-in with another account' })).toBeNull()
  })

  it('is confirmed, the address is clean, and the words can be closed', async () => {
    resume()
    window.location.hash = '#linked=google'
    await renderPage()
    expect((await screen.findByText(/Your Google account is linked/)).closest('[role="status"]')).toBeTruthy()
    expect(window.location.href).not.toContain('linked')
    press('Close')
    expect(screen.queryByTestId('linked')).toBeNull()
    expect(document.activeElement).toBe(screen.getByTestId('account-link'))
  })

  it.each(['constructor', 'unknown', '<b>x</b>'])('says nothing of a provider that is none: %s', async (name) => {
    resume()
    window.location.hash = `#linked=${name}`
    await renderPage()
    expect(screen.queryByTestId('linked')).toBeNull()
    expect(window.location.href).not.toContain('linked')
  })

  it('is told to nobody who signs in later', async () => {
    window.location.hash = '#linked=google'
    await renderPage({ until: 'Sign in' })
    giveName()
    await screen.findByTestId('composer')
    expect(screen.queryByTestId('linked')).toBeNull()
  })
})
