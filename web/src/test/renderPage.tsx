import { render, screen } from '@testing-library/react'
import userEvent, { type UserEvent } from '@testing-library/user-event'
import { vi } from 'vitest'
import { App } from '../App'

export async function renderPage({ narrow = false } = {}): Promise<UserEvent> {
  vi.stubGlobal('matchMedia', (query: string) => ({
    matches: narrow && query.includes('max-width'),
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }))
  const user = userEvent.setup()
  render(<App />)
  await screen.findByTestId('composer')
  return user
}

export function composer(): HTMLTextAreaElement {
  return screen.getByTestId<HTMLTextAreaElement>('composer')
}

export async function say(user: UserEvent, text: string): Promise<void> {
  await user.type(composer(), `${text}{Enter}`)
}
