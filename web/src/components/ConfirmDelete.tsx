import { type KeyboardEvent, useId, useState } from 'react'

interface ConfirmDeleteProps {
  title: string
  onConfirm: () => Promise<void>
  onClose: () => void
}

export function ConfirmDelete({ title, onConfirm, onClose }: ConfirmDeleteProps) {
  const [state, setState] = useState<'asking' | 'deleting' | 'failed'>('asking')
  const questionId = useId()

  const confirm = async () => {
    setState('deleting')
    try {
      await onConfirm()
    } catch {
      setState('failed')
    }
  }

  const closeOnEscape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    event.stopPropagation()
    onClose()
  }

  return (
    <div className="session-edit" role="group" aria-labelledby={questionId} onKeyDown={closeOnEscape}>
      <p id={questionId}>Delete “{title}”? This cannot be undone.</p>
      {state === 'failed' && <p role="alert">It could not be deleted.</p>}
      <div className="session-edit-actions">
        <button type="button" className="button button-danger" disabled={state === 'deleting'} onClick={confirm}>
          Delete
        </button>
        <button type="button" className="button button-quiet" autoFocus onClick={onClose}>
          Keep
        </button>
      </div>
    </div>
  )
}
