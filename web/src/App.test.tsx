import { screen, waitFor, within } from '@testing-library/react'
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeBank, REQUEST_ID, SESSION_ID, session, storedMessage } from './test/fakeBank'
import { composer, renderPage, say } from './test/renderPage'

let bank: FakeBank

beforeEach(() => {
  bank = new FakeBank().install()
})

describe('a conversation', () => {
  it('sends, shows the answer, and sends a chosen next step in the same session', async () => {
    const user = await renderPage()
    await say(user, 'What is my account balance?')
    await user.click(await screen.findByTestId('next-step'))
    await waitFor(() => expect(screen.getAllByTestId('message-assistant')).toHaveLength(2))

    expect(bank.asked.map(({ message, session_id }) => [message, session_id])).toEqual([
      ['What is my account balance?', null],
      ['Show my latest transactions', SESSION_ID],
    ])
    expect(composer().value).toBe('')
    await waitFor(() => expect(document.activeElement).toBe(composer()))
  })

  it('shows what the answer rests on when asked', async () => {
    const user = await renderPage()
    await say(user, 'balance')
    const toggle = await screen.findByTestId('details-toggle')
    expect(toggle.getAttribute('aria-expanded')).toBe('false')
    await user.click(toggle)

    const details = within(screen.getByTestId('details'))
    expect(toggle.getAttribute('aria-expanded')).toBe('true')
    for (const text of ['97%', 'Everyday Checking ending in 4821', 'nlu-1', 'template', '183 ms']) {
      expect(details.getByText(text)).toBeTruthy()
    }
  })

  it('shows markup from the server as text', async () => {
    bank.reply = { response: '<img src=x onerror=alert(1)>', suggested_next_steps: ['<b>bold</b>'] }
    const user = await renderPage()
    await say(user, 'hello')

    const answer = await screen.findByTestId('message-assistant')
    expect(within(answer).getByText('<img src=x onerror=alert(1)>')).toBeTruthy()
    expect(answer.querySelector('img')).toBeNull()
    expect(screen.getByTestId('next-step').textContent).toBe('<b>bold</b>')
  })

  it('is there again after a reload', async () => {
    sessionStorage.setItem('harborlight.conversation', `:${SESSION_ID}`)
    bank.messages = [
      storedMessage({ id: 'm-0', role: 'user', content: 'Where is my card?' }),
      storedMessage({ suggested_next_steps: ['Order another card'] }),
    ]
    await renderPage()
    expect(await screen.findByText('Where is my card?')).toBeTruthy()
    expect(screen.getByText('A new card takes five days.')).toBeTruthy()
    expect(screen.getByTestId('next-step').textContent).toBe('Order another card')
  })
})

describe('trouble', () => {
  it.each([
    ['an unavailable server', { status: 503, message: 'The database is away.' }, 'unavailable right now'],
    ['a dropped connection', 'offline' as const, 'could not reach'],
  ])('keeps the message through %s and sends it on retry', async (_, problem, words) => {
    bank.chatFailures = [problem]
    const user = await renderPage()
    await say(user, 'I think my card was stolen')

    const error = await screen.findByTestId('error')
    expect(error.textContent).toContain(words)
    expect(error.textContent?.includes(REQUEST_ID)).toBe(problem !== 'offline')
    expect(screen.getByTestId('message-user').textContent).toContain('I think my card was stolen')
    await user.click(screen.getByRole('button', { name: 'Retry' }))

    await screen.findByTestId('message-assistant')
    expect(bank.asked.map(({ message }) => message)).toEqual(Array(2).fill('I think my card was stolen'))
    expect(screen.getAllByTestId('message-user')).toHaveLength(1)
    expect(screen.queryByTestId('error')).toBeNull()
  })

  it('gives a refused message back for editing', async () => {
    bank.chatFailures = [{ status: 422, message: 'message holds control characters' }]
    const user = await renderPage()
    await say(user, 'odd text')
    expect((await screen.findByTestId('error')).textContent).toContain('message holds control characters.')
    await user.click(screen.getByRole('button', { name: 'Edit message' }))

    expect(composer().value).toBe('odd text')
    expect(screen.queryByTestId('message-user')).toBeNull()
  })

  it('offers a new conversation when the session is gone, and takes the message along', async () => {
    bank.chatFailures = [{ status: 404, message: 'There is no such conversation.' }]
    const user = await renderPage()
    await say(user, 'Are you there?')
    await user.click(await screen.findByRole('button', { name: 'Start a new conversation' }))

    expect(composer().value).toBe('Are you there?')
    expect(sessionStorage.getItem('harborlight.conversation')).toBeNull()
  })

  it('forgets a stored session that no longer exists', async () => {
    sessionStorage.setItem('harborlight.conversation', `:${SESSION_ID}`)
    bank.messagesFailure = { status: 404, message: 'There is no such conversation.' }
    const user = await renderPage()
    expect((await screen.findByTestId('error')).textContent).toContain('no longer available')
    expect(sessionStorage.getItem('harborlight.conversation')).toBeNull()
    await user.click(screen.getByRole('button', { name: 'Start a new conversation' }))
    await say(user, 'Hello')
    await screen.findByTestId('message-assistant')
    expect(bank.asked[0]?.session_id).toBeNull()
  })
})

describe('customers', () => {
  it('starts a new conversation for the chosen customer and remembers the choice', async () => {
    const user = await renderPage()
    await say(user, 'Hello')
    await screen.findByTestId('message-assistant')
    await user.selectOptions(screen.getByTestId('customer-select'), 'Ana Morales')

    expect(await screen.findByText(/Hello, Ana/)).toBeTruthy()
    expect(screen.queryByTestId('message-user')).toBeNull()
    expect(localStorage.getItem('harborlight.customer')).toBe('CUST001')
    await say(user, 'What is my balance?')
    await screen.findByTestId('message-assistant')
    expect(bank.asked.at(-1)).toMatchObject({ user_id: 'CUST001', session_id: null })
  })

  it('does not return to an earlier conversation when a customer is chosen again', async () => {
    localStorage.setItem('harborlight.customer', 'CUST001')
    bank.messages = [storedMessage({ role: 'user', content: 'What is my balance?' })]
    const user = await renderPage()
    await say(user, 'What is my balance?')
    await screen.findByTestId('message-assistant')
    await user.selectOptions(await screen.findByTestId('customer-select'), 'Guest')
    await user.selectOptions(screen.getByTestId('customer-select'), 'Ana Morales')

    expect(await screen.findByText(/Hello, Ana/)).toBeTruthy()
    expect(screen.queryByTestId('message-user')).toBeNull()
  })

  it("lists a guest's own conversations, never everyone's", async () => {
    await renderPage()
    await screen.findByTestId('customer-select')
    await waitFor(() => expect(bank.listedFor).toEqual(['demo']))
  })

  it('drops a remembered demo customer that the server does not know', async () => {
    localStorage.setItem('harborlight.customer', 'CUST999')
    await renderPage()
    await waitFor(() => expect(bank.listedFor).toContain('demo'))
    expect(localStorage.getItem('harborlight.customer')).toBeNull()
    expect(bank.listedFor).not.toContain('CUST999')
  })

  it('says that nobody is signed in and that this is for development only', async () => {
    await renderPage()
    const notice = screen.getByTestId('demo-notice').textContent
    expect(notice).toContain('for development only')
    expect(notice).toContain('nobody is signed in')
  })
})

describe('the conversation list', () => {
  beforeEach(() => {
    bank.sessions = [session()]
    bank.messages = [storedMessage()]
  })

  it('renames in place', async () => {
    const user = await renderPage()
    await user.click(await screen.findByRole('button', { name: 'Rename My card has not arrived yet' }))
    await user.clear(screen.getByLabelText('Conversation name'))
    await user.type(screen.getByLabelText('Conversation name'), 'Late card{Enter}')
    expect(await screen.findByText('Late card')).toBeTruthy()
  })

  it('deletes only after a confirmation, and leaves the deleted conversation', async () => {
    const user = await renderPage()
    await user.click(await screen.findByText('My card has not arrived yet', { selector: '.session-title' }))
    await screen.findByTestId('message-assistant')
    await user.click(screen.getByRole('button', { name: /^Delete/ }))
    await user.click(screen.getByRole('button', { name: 'Keep' }))
    await user.click(screen.getByRole('button', { name: /^Delete/ }))
    await user.click(screen.getByRole('button', { name: 'Delete' }))

    await waitFor(() => expect(screen.queryByTestId('message-assistant')).toBeNull())
    expect(screen.queryByText('My card has not arrived yet', { selector: '.session-title' })).toBeNull()
  })

  it('opens as a drawer on a phone and closes when a conversation is chosen', async () => {
    const user = await renderPage({ narrow: true })
    expect(screen.queryByRole('dialog')).toBeNull()
    await user.click(screen.getByRole('button', { name: 'Conversations' }))
    const drawer = within(screen.getByRole('dialog'))
    await user.click(await drawer.findByText('My card has not arrived yet'))
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(await screen.findByTestId('message-assistant')).toBeTruthy()
  })
})
