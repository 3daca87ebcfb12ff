import { type FormEvent, type KeyboardEvent, type RefObject, useLayoutEffect } from 'react'
import { SendIcon } from './Icons'

const LIMIT = 4000
const WARN_WITHIN = 400

interface ComposerProps {
  draft: string
  busy: boolean
  inputRef: RefObject<HTMLTextAreaElement | null>
  onChange: (draft: string) => void
  onSend: (text: string) => void
}

export function Composer({ draft, busy, inputRef, onChange, onSend }: ComposerProps) {
  const text = draft.trim()
  const left = LIMIT - Array.from(text).length
  const sendable = text !== '' && left >= 0 && !busy

  useLayoutEffect(() => {
    const input = inputRef.current
    if (!input) return
    input.style.height = 'auto'
    input.style.height = `${input.scrollHeight}px`
  }, [draft, inputRef])

  const submit = () => {
    if (sendable) onSend(text)
  }

  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    submit()
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }

  return (
    <form className="composer" onSubmit={onSubmit}>
      <div className="composer-field">
        <label className="visually-hidden" htmlFor="message">
          Your message
        </label>
        <textarea
          id="message"
          ref={inputRef}
          data-testid="composer"
          rows={1}
          placeholder="Type your question"
          aria-describedby="composer-hint composer-count"
          aria-invalid={left < 0}
          enterKeyHint="send"
          value={draft}
          disabled={busy}
          onChange={(event) => onChange(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" className="send" data-testid="send" disabled={!sendable} aria-label="Send message">
          <SendIcon />
        </button>
      </div>
      <div className="composer-foot">
        <p id="composer-hint" className="composer-hint">
          Enter sends, Shift+Enter adds a line
        </p>
        <p id="composer-count" className={left < 0 ? 'composer-count over' : 'composer-count'} role="status">
          {left <= WARN_WITHIN && countText(left)}
        </p>
      </div>
    </form>
  )
}

function countText(left: number): string {
  const count = Math.abs(left).toLocaleString()
  const noun = Math.abs(left) === 1 ? 'character' : 'characters'
  return left < 0 ? `${count} ${noun} over the limit` : `${count} ${noun} left`
}
