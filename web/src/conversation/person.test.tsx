import { screen, waitFor } from '@testing-library/react'
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeBank, storedMessage } from '../test/fakeBank'
import { renderPage, say } from '../test/renderPage'

const WAITING = { id: '0198a000-0000-7000-8000-0000000000d1', status: 'waiting' as const }
const LISTENED = { timeout: 6000 }

let bank: FakeBank

beforeEach(() => {
  bank = new FakeBank().install()
})

describe('while a person answers', () => {
  it('what they say comes by itself, once, and the assistant keeps silent', async () => {
    bank.handoff = WAITING
    bank.reply = { response: 'I am handing you over.', handoff: WAITING, suggested_next_steps: [] }
    const user = await renderPage()
    await say(user, 'talk to a person')
    expect((await screen.findByTestId('person')).textContent).toContain('A person was called')

    bank.handoff = { ...WAITING, status: 'taken' }
    bank.messages = [storedMessage({ id: 'm-9', role: 'agent', content: 'This is Gil.', intent: null })]
    expect(await screen.findByText('This is Gil.', undefined, LISTENED)).toBeTruthy()
    expect(screen.getByText('A person of the bank answers you here.')).toBeTruthy()

    bank.reply = { response: '', handoff: bank.handoff, suggested_next_steps: [] }
    await say(user, 'Thank you')
    await waitFor(() => expect(screen.getAllByTestId('message-user')).toHaveLength(2))
    expect(screen.getAllByTestId('message-assistant')).toHaveLength(2)

    await user.click(screen.getByRole('button', { name: 'Go on with the assistant' }))
    await waitFor(() => expect(screen.queryByTestId('person')).toBeNull())
    expect(screen.getAllByText('This is Gil.')).toHaveLength(1)
  }, 15_000)
})
