import { type FormEvent, type KeyboardEvent, useId, useState } from 'react'

const TITLE_LIMIT = 100

interface RenameFormProps {
  title: string
  onSave: (title: string) => Promise<void>
  onClose: () => void
}

export function RenameForm({ title, onSave, onClose }: RenameFormProps) {
  const [value, setValue] = useState(title)
  const [failed, setFailed] = useState(false)
  const inputId = useId()

  const save = async (event: FormEvent) => {
    event.preventDefault()
    const next = value.trim()
    if (next === '') return
    try {
      if (next !== title) await onSave(next)
      onClose()
    } catch {
      setFailed(true)
    }
  }

  const closeOnEscape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    event.stopPropagation()
    onClose()
  }

  return (
    <form className="session-edit" onSubmit={save} onKeyDown={closeOnEscape}>
      <label htmlFor={inputId}>Conversation name</label>
      <input
        id={inputId}
        value={value}
        maxLength={TITLE_LIMIT}
        autoFocus
        onFocus={(event) => event.target.select()}
        onChange={(event) => setValue(event.target.value)}
      />
      {failed && <p role="alert">The name could not be saved.</p>}
      <div className="session-edit-actions">
        <button type="submit" className="button button-primary" disabled={value.trim() === ''}>
          Save
        </button>
        <button type="button" className="button button-quiet" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  )
}
