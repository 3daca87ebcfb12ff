import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { beforeEach, describe, expect, it } from 'vitest'
import { ANA, CODE, FakeBank, SESSION_ID, storedMessage } from '../test/fakeBank'
import { DONE, SUMMARY, operation } from '../test/fakeMoney'
import { renderPage, say } from '../test/renderPage'

const NOTE = 'Shall I go ahead? Say yes, tell me what to change, or say cancel.'
const WRONG = {
  status: 403,
  message: 'The code does not hold. Try again.',
  code: 'STEP_UP_REQUIRED',
  details: { reason: 'wrong' },
}

let bank: FakeBank

beforeEach(() => {
  bank = new FakeBank().install()
  bank.user = { ...ANA, permissions: ['banking:read', 'banking:write'] }
  bank.cookie = true
  localStorage.setItem('harborlight.signed-in', 'yes')
})

async function proposed(changes = {}) {
  bank.money.operation = operation(changes)
  bank.reply = { response: `Next, your transfer.\n\n${SUMMARY}\n${NOTE}`, pending: bank.money.pending }
  const user = await renderPage()
  await say(user, 'send 50 to Alice')
  return { user, card: within(await screen.findByTestId('operation')) }
}

describe('what waits to be confirmed', () => {
  it('is shown word for word, with its time, in place of the same words of the message', async () => {
    const { card } = await proposed()
    expect(card.getByText(SUMMARY)).toBeTruthy()
    expect(card.getByText(NOTE)).toBeTruthy()
    expect(card.getByTestId('countdown').textContent).toMatch(/Expires in (4:5\d|5:00)/)
    expect(screen.getAllByText(SUMMARY)).toHaveLength(1)
    expect(screen.getByText('Next, your transfer.')).toBeTruthy()
    expect(screen.queryByTestId('next-step')).toBeNull()
  })

  it('is confirmed once by one press, and becomes its receipt', async () => {
    const { card } = await proposed()
    const button = card.getByRole('button', { name: 'Confirm' })
    fireEvent.click(button)
    fireEvent.click(button)
    expect((await card.findByTestId('receipt')).textContent).toContain('ABCDE-23456')
    await waitFor(() => expect(card.getByTestId('new-balance').textContent).toBe('$4,318.42'))
    expect(bank.money.decisions).toEqual([{ approve: true, step_up: null }])
    expect(card.queryByRole('button')).toBeNull()
    expect(document.activeElement).toBe(card.getByRole('heading', { name: 'Done' }))
  })

  it('is called off', async () => {
    const { user, card } = await proposed()
    await user.click(card.getByRole('button', { name: 'Call off' }))
    expect(await card.findByText(/Nothing was done/)).toBeTruthy()
    expect(card.queryByRole('button')).toBeNull()
  })

  it('asks for the second factor first, and again after a wrong one', async () => {
    const { user, card } = await proposed({ requires: ['totp', 'webauthn'] })
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    bank.money.refusals = [WRONG]
    await user.type(await card.findByLabelText(/Code from/), `000000{Enter}`)
    expect(await card.findByText('The code does not hold. Try again.')).toBeTruthy()
    await user.type(card.getByLabelText(/Code from/), `${CODE}{Enter}`)
    expect(await card.findByTestId('receipt')).toBeTruthy()
    expect(bank.money.decisions.map((one) => one.step_up?.code)).toEqual(['000000', CODE])
  })

  it('asks for a factor that the policy wants only now', async () => {
    const { user, card } = await proposed()
    bank.money.refusals = [{ status: 403, message: 'Prove it.', code: 'STEP_UP_REQUIRED', details: { methods: [] } }]
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    expect(await card.findByLabelText(/Code from/)).toBeTruthy()
    await user.click(card.getByRole('button', { name: 'Cancel' }))
    expect(document.activeElement).toBe(card.getByRole('button', { name: 'Confirm' }))
  })

  it('leads to the second factors where none is set up', async () => {
    const { user, card } = await proposed({ requires: ['totp'] })
    bank.money.stepUpRefusals = [
      { status: 403, message: 'Set one up first.', code: 'STEP_UP_REQUIRED', details: { methods_allowed: ['totp'] } },
    ]
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    expect((await card.findByRole('link', { name: 'Your second factors' })).getAttribute('href')).toBe('#account')
  })

  it('tells a limit, and that nothing was done', async () => {
    const { user, card } = await proposed()
    bank.money.refusals = [{ status: 409, message: 'This is more than $10.00.', code: 'LIMIT_EXCEEDED' }]
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    expect((await card.findByTestId('form-problem')).textContent).toBe('Nothing was done. This is more than $10.00.')
    expect(card.getByRole('button', { name: 'Confirm' })).toBeTruthy()
  })
})

describe('a lost answer', () => {
  it('is asked for, and what was done is never called undone', async () => {
    const { user, card } = await proposed()
    bank.money.lostAnswers = 1
    bank.money.offlineLooks = 1
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    expect(await card.findByText(/We are asking the bank/)).toBeTruthy()
    expect(card.queryByRole('button')).toBeNull()
    expect(await card.findByTestId('receipt', undefined, { timeout: 4000 })).toBeTruthy()
    expect(screen.queryByTestId('form-problem')).toBeNull()
    expect(bank.money.decisions).toHaveLength(1)
  })

  it('of the server in trouble counts as lost too', async () => {
    const { user, card } = await proposed()
    bank.money.refusals = [{ status: 500, message: 'Something went wrong on our side.', code: 'INTERNAL' }]
    await user.click(card.getByRole('button', { name: 'Confirm' }))
    expect(await card.findByText(/has not been done so far. Confirming again is safe/)).toBeTruthy()
  })
})

describe('in the conversation', () => {
  it('a correction ends what was shown before', async () => {
    const { user, card } = await proposed()
    bank.money.operation = { ...bank.money.operation, status: 'voided' }
    bank.reply = { response: 'Now it is 60.' }
    await say(user, 'make it 60')
    expect(await card.findByText('Called off')).toBeTruthy()
    expect(card.queryByRole('button')).toBeNull()
  })

  it('a message whose answer was lost may have ended it too, so the bank is asked', async () => {
    const { user, card } = await proposed()
    bank.money.operation = { ...bank.money.operation, status: 'voided' }
    bank.chatFailures = ['offline']
    await say(user, 'make it 60')
    expect(await card.findByText('Called off')).toBeTruthy()
  })

  it('a yes turns it into its receipt, without taking the focus', async () => {
    const { user, card } = await proposed()
    bank.money.operation = { ...bank.money.operation, ...DONE }
    bank.reply = { response: 'Done.' }
    await say(user, 'yes')
    expect(await card.findByTestId('receipt')).toBeTruthy()
    expect(document.activeElement).not.toBe(card.getByRole('heading', { name: 'Done' }))
  })

  it.each([
    ['waits still', {}, 1],
    ['is over', { status: 'voided' as const }, 0],
    ['was proposed after the message', { created_at: '2099-01-01T00:00:00.000Z' }, 0],
  ])('what %s is shown rightly after a reload', async (_, changes, shown) => {
    sessionStorage.setItem('harborlight.conversation', `${ANA.id}:${SESSION_ID}`)
    const at = new Date().toISOString()
    bank.messages = [storedMessage({ content: `${SUMMARY}\n${NOTE}`, created_at: at })]
    bank.money.operation = operation(changes)
    await renderPage()
    await screen.findByTestId('message-assistant')
    expect(screen.queryAllByTestId('operation')).toHaveLength(shown)
  })
})

describe('a card', () => {
  it('is frozen at once, and made good again by an operation where the bank wants a proof', async () => {
    window.location.hash = '#accounts'
    const user = await renderPage({ until: 'Accounts' })
    await user.click(await screen.findByRole('button', { name: 'Freeze Harborlight Visa ending 1174' }))
    expect(await screen.findByText(/is frozen: nothing can be paid with it/)).toBeTruthy()

    bank.money.operation = operation({ summary: 'Unfreeze the card.', requires: ['totp'], from_account: null })
    await user.click(screen.getByRole('button', { name: 'Unfreeze Harborlight Visa ending 1174' }))
    const waiting = within(await screen.findByTestId('operation'))
    await user.click(waiting.getByRole('button', { name: 'Confirm' }))
    bank.money.card = { ...bank.money.card, status: 'active' }
    await user.type(await waiting.findByLabelText(/Code from/), `${CODE}{Enter}`)
    expect((await waiting.findByTestId('receipt')).textContent).not.toContain('Balance')
    expect(await screen.findByText('Active')).toBeTruthy()
    expect(bank.calls.filter((call) => call === 'GET /api/v2/cards')).toHaveLength(2)
  })
})

describe('the end of the time', () => {
  it("is the bank's to tell", async () => {
    const { card } = await proposed({ expires_at: new Date(Date.now() + 1500).toISOString() })
    bank.money.operation = { ...bank.money.operation, status: 'expired' }
    expect(await card.findByText('Expired', undefined, { timeout: 4000 })).toBeTruthy()
    expect(card.queryByRole('button')).toBeNull()
  })

  it('is read out at a few moments, not with every second', async () => {
    const { card } = await proposed({ expires_at: new Date(Date.now() + 45_000).toISOString() })
    expect(card.getByTestId('countdown').getAttribute('aria-live')).toBe('off')
    expect(card.getByText('Less than 60 seconds left to confirm.')).toBeTruthy()
  })
})
