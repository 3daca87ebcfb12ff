import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import decodeQR from 'qr/decode.js'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  ANA,
  CODE,
  FakeBank,
  PASSWORD,
  SESSION_ID,
  SIGN_IN_AGAIN,
  TOTP_URI,
  WRONG_PASSWORD,
  storedMessage,
} from '../test/fakeBank'
import { composer, renderPage, say } from '../test/renderPage'

let bank: FakeBank

beforeEach(() => {
  bank = new FakeBank().install()
  bank.demo = false
})

function fill(label: string, text: string): HTMLElement {
  const field = screen.getByLabelText(label)
  fireEvent.change(field, { target: { value: text } })
  return field
}

function press(name: string): void {
  fireEvent.click(screen.getByRole('button', { name }))
}

function signIn(password = PASSWORD): void {
  fill('E-mail or customer number', 'ana@example.org')
  fill('Password', password)
  press('Sign in')
}

async function openSignedIn() {
  const user = await renderPage({ until: 'Sign in' })
  signIn()
  await screen.findByTestId('composer')
  return user
}

describe('signing in', () => {
  it('is asked for where the server has no demo, and opens the chat', async () => {
    await openSignedIn()
    expect(screen.getByText(/Hello, Ana/)).toBeTruthy()
    expect(screen.queryByTestId('demo-notice')).toBeNull()
    await waitFor(() => expect(bank.listedFor).toEqual([null]))
  })

  it("shows the server's one message for a wrong password, keeps the name and clears the password", async () => {
    await renderPage({ until: 'Sign in' })
    signIn('not it')
    expect((await screen.findByTestId('form-problem')).textContent).toContain(WRONG_PASSWORD.message)
    expect(screen.getByLabelText<HTMLInputElement>('E-mail or customer number').value).toBe('ana@example.org')
    expect(screen.getByLabelText<HTMLInputElement>('Password').value).toBe('')
    expect(document.activeElement).toBe(screen.getByLabelText('Password'))
  })

  it('asks nothing of the server while a field is empty, and goes to that field', async () => {
    await renderPage({ until: 'Sign in' })
    press('Sign in')
    const name = screen.getByLabelText('E-mail or customer number')
    await waitFor(() => expect(document.activeElement).toBe(name))
    expect(name.getAttribute('aria-invalid')).toBe('true')
    expect(bank.calls).not.toContain('POST /api/auth/login')
  })

  it('goes on to the code where a second factor is set up', async () => {
    bank.asksSecondFactor = true
    await renderPage({ until: 'Sign in' })
    signIn()
    await screen.findByRole('heading', { name: 'One more step' })
    expect(document.activeElement).toBe(screen.getByLabelText('Code from your authenticator app'))
    fill('Code from your authenticator app', '000000')
    press('Sign in')
    expect((await screen.findByTestId('form-problem')).textContent).toContain('does not hold')
    expect(screen.queryByRole('button', { name: 'Begin again' })).toBeNull()
    fill('Code from your authenticator app', '123 456')
    press('Sign in')
    expect(await screen.findByTestId('composer')).toBeTruthy()
  })

  it('begins again where the second step takes no more answers', async () => {
    bank.asksSecondFactor = true
    bank.factorFailures = [
      { status: 403, message: 'Too many failures.', code: 'STEP_UP_REQUIRED', details: { reason: 'locked' } },
    ]
    await renderPage({ until: 'Sign in' })
    signIn()
    await screen.findByRole('heading', { name: 'One more step' })
    fill('Code from your authenticator app', '000000')
    press('Sign in')
    fireEvent.click(await screen.findByRole('button', { name: 'Begin again' }))
    expect(screen.getByRole('heading', { name: 'Sign in' })).toBeTruthy()
  })

  it('offers only the providers that the server names', async () => {
    const meta = document.createElement('meta')
    meta.name = 'sign-in-providers'
    meta.content = 'google unknown'
    document.head.append(meta)
    await renderPage({ until: 'Sign in' })
    meta.remove()
    const links = within(screen.getByRole('list', { name: 'Other ways to sign in' })).getAllByRole('link')
    expect(links.map((link) => [link.textContent, link.getAttribute('href')])).toEqual([
      ['Sign in with Google', '/api/auth/oauth/google/login'],
    ])
  })
})

describe('signing up', () => {
  async function openForm() {
    window.location.hash = '#sign-up'
    await renderPage({ until: 'Open an account' })
    fill('Your name', 'Ana Morales')
    fill('E-mail', 'ana@example.org')
    fill('Password', PASSWORD)
  }

  it('says the rules beforehand and signs in afterwards', async () => {
    await openForm()
    const hint = screen.getByLabelText('Password').getAttribute('aria-describedby') ?? ''
    expect(document.getElementById(hint)?.textContent).toContain('15 to 128 characters')
    press('Open an account')
    expect(await screen.findByTestId('composer')).toBeTruthy()
    expect(window.location.hash).toBe('')
  })

  it.each([
    ['E-mail', { fields: [{ field: 'email', problem: 'has the wrong form' }] }, 'The e-mail has the wrong form.'],
    ['Password', {}, 'The request cannot be used.'],
  ])('shows what the server refuses at its field: %s', async (label, details, words) => {
    bank.registerFailure = { status: 422, message: 'The request cannot be used.', code: 'INVALID_REQUEST', details }
    await openForm()
    press('Open an account')
    expect(await screen.findByText(words)).toBeTruthy()
    const field = screen.getByLabelText(label)
    expect(field.getAttribute('aria-invalid')).toBe('true')
    expect(document.activeElement).toBe(field)
  })
})

describe('a session that ends by itself', () => {
  it('asks to sign in again and keeps the message and the draft', async () => {
    const user = await openSignedIn()
    bank.endSession()
    await say(user, 'Is my card on its way?')
    await screen.findByRole('heading', { name: 'Sign in again' })
    expect(screen.queryByTestId('composer')).toBeNull()
    expect(screen.getByLabelText<HTMLInputElement>('E-mail or customer number').value).toBe('ana@example.org')
    signIn()
    await screen.findByTestId('composer')
    expect(composer().value).toBe('Is my card on its way?')
  })

  it('gives the draft to nobody else', async () => {
    const user = await openSignedIn()
    bank.endSession()
    await say(user, 'My secret plan')
    await screen.findByRole('heading', { name: 'Sign in again' })
    bank.user = { ...ANA, id: '0198a000-0000-7000-8000-00000000b0b0', display_name: 'Ben Carter' }
    signIn()
    await screen.findByTestId('composer')
    expect(composer().value).toBe('')
    expect(document.body.textContent).not.toContain('secret plan')
  })
})

describe('signing out', () => {
  it('leaves nothing of the person in the page', async () => {
    sessionStorage.setItem('harborlight.conversation', `${ANA.id}:${SESSION_ID}`)
    bank.messages = [storedMessage({ content: 'Your balance is $4,318.42.' })]
    const user = await openSignedIn()
    expect(await screen.findByText('Your balance is $4,318.42.')).toBeTruthy()
    await user.type(composer(), 'draft')
    window.location.hash = '#account'
    fireEvent.click(await screen.findByTestId('sign-out'))
    await screen.findByRole('heading', { name: 'Sign in' })
    const page = document.body.innerHTML
    for (const trace of ['4,318', 'Ana', 'ana@example.org', 'draft']) expect(page).not.toContain(trace)
    expect({ ...localStorage, ...sessionStorage }).toEqual({})
    signIn()
    await screen.findByTestId('composer')
    expect(composer().value).toBe('')
  })
})

describe('the authenticator app', () => {
  async function openAccount() {
    await openSignedIn()
    window.location.hash = '#account'
    return screen.findByRole('heading', { name: 'Authenticator app' })
  }

  it('is set up with a QR code that holds the address, and a code', async () => {
    const heading = await openAccount()
    press('Set up an app')
    expect((await screen.findByTestId('totp-secret')).textContent).toBe('ABCD EFGH IJKL MNOP')
    await waitFor(() => expect(readQr(screen.getByRole('img', { name: /QR code/ }))).toBe(TOTP_URI))
    expect(document.activeElement).toBe(heading)
    fill('Code from your authenticator app', '000000')
    press('Confirm the code')
    expect(await screen.findByText('The code is wrong.')).toBeTruthy()
    fill('Code from your authenticator app', CODE)
    press('Confirm the code')
    expect((await screen.findByText('The authenticator app is set up.')).getAttribute('role')).toBe('status')
    expect(screen.queryByTestId('totp-secret')).toBeNull()
  })

  it('is removed with a code', async () => {
    bank.factors = { totp: true, passkeys: [] }
    await openAccount()
    press('Remove the app')
    await screen.findByLabelText('Code from your authenticator app')
    fill('Code from your authenticator app', CODE)
    press('Remove the app')
    expect(await screen.findByText('The authenticator app is removed.')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Set up an app' })).toBeTruthy()
  })

  it('asks to sign in again where the sign-in is too long ago', async () => {
    await openAccount()
    await screen.findByRole('button', { name: 'Set up an app' })
    bank.factorFailures = [SIGN_IN_AGAIN]
    press('Set up an app')
    fireEvent.click(await screen.findByRole('button', { name: 'Sign in again' }))
    await screen.findByRole('heading', { name: 'Sign in again' })
    signIn()
    expect(await screen.findByRole('heading', { name: 'Authenticator app' })).toBeTruthy()
  })
})

/** Read the drawing as a camera would: every module as a square of pixels. */
function readQr(drawing: HTMLElement): string {
  const scale = 4
  const side = Number(drawing.getAttribute('viewBox')?.split(' ')[2]) * scale
  const data = new Uint8ClampedArray(side * side * 4).fill(255)
  for (const [, x, y] of drawing.innerHTML.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let row = 0; row < scale; row += 1) {
      for (let column = 0; column < scale; column += 1) {
        const pixel = (Number(y) * scale + row) * side + Number(x) * scale + column
        data.fill(0, pixel * 4, pixel * 4 + 3)
      }
    }
  }
  return decodeQR({ width: side, height: side, data })
}
