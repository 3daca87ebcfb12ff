import { fireEvent, render, screen } from '@testing-library/react'
import { createRef } from 'react'
import { describe, expect, it, vi } from 'vitest'
import { Composer } from './Composer'

function show(draft: string, busy = false) {
  const onSend = vi.fn()
  render(<Composer draft={draft} busy={busy} inputRef={createRef()} onChange={vi.fn()} onSend={onSend} />)
  return { onSend, input: screen.getByTestId('composer'), send: screen.getByTestId<HTMLButtonElement>('send') }
}

describe('Composer', () => {
  it('sends the trimmed text on Enter', () => {
    const { onSend, input } = show('  hello \n')
    fireEvent.keyDown(input, { key: 'Enter' })
    expect(onSend).toHaveBeenCalledExactlyOnceWith('hello')
  })

  it.each([
    ['Shift+Enter', { key: 'Enter', shiftKey: true }],
    ['Enter that ends an input method composition', { key: 'Enter', isComposing: true }],
  ])('does not send on %s', (_, event) => {
    const { onSend, input } = show('hello')
    fireEvent.keyDown(input, event)
    expect(onSend).not.toHaveBeenCalled()
  })

  it.each([
    ['blank', ' \n ', false],
    ['too long', 'x'.repeat(4001), false],
    ['being sent', 'hello', true],
  ])('cannot send what is %s', (_, draft, busy) => {
    const { onSend, input, send } = show(draft, busy)
    fireEvent.keyDown(input, { key: 'Enter' })
    expect(onSend).not.toHaveBeenCalled()
    expect(send.disabled).toBe(true)
  })

  it.each([
    ['says nothing far from the limit', 3599, ''],
    ['counts down near it', 3990, '10 characters left'],
    ['says how far over it is', 4001, '1 character over the limit'],
  ])('%s', (_, length, words) => {
    show('x'.repeat(length))
    expect(screen.getByRole('status').textContent).toBe(words)
  })

  it('counts an emoji as one character, as the server does', () => {
    const { send } = show('👍'.repeat(4000))
    expect(send.disabled).toBe(false)
  })
})
