import { render, screen } from '@testing-library/react'
import userEvent, { type UserEvent } from '@testing-library/user-event'
import { vi } from 'vitest'
import { App } from '../App'
import { bankSession } from '../identity/session'

interface PageOptions {
  narrow?: boolean
  /** What to wait for: the chat, or the words of a heading. */
  until?: string | null
}

export async function renderPage({ narrow = false, until = null }: PageOptions = {}): Promise<UserEvent> {
  vi.stubGlobal('matchMedia', (query: string) => ({
    matches: narrow && query.includes('max-width'),
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }))
  const user = userEvent.setup()
  void bankSession.start()
  render(<App />)
  await (until === null ? screen.findByTestId('composer') : screen.findByRole('heading', { name: until }))
  return user
}

export function composer(): HTMLTextAreaElement {
  return screen.getByTestId<HTMLTextAreaElement>('composer')
}

export async function say(user: UserEvent, text: string): Promise<void> {
  await user.type(composer(), `${text}{Enter}`)
}
