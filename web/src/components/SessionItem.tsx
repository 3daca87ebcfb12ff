import { useEffect, useRef, useState } from 'react'
import type { Session } from '../api/types'
import { recentDate } from '../lib/format'
import { DeleteIcon, RenameIcon } from './Icons'
import { RenameForm } from './RenameForm'
import { ConfirmDelete } from './ConfirmDelete'

interface SessionItemProps {
  session: Session
  current: boolean
  onOpen: () => void
  onRename: (title: string) => Promise<void>
  onRemove: () => Promise<void>
}

type Mode = 'view' | 'rename' | 'delete'

export function SessionItem({ session, current, onOpen, onRename, onRemove }: SessionItemProps) {
  const [mode, setMode] = useState<Mode>('view')
  const returnTo = useRef<Mode>('view')
  const renameButton = useRef<HTMLButtonElement>(null)
  const deleteButton = useRef<HTMLButtonElement>(null)

  useEffect(() => {
    if (mode !== 'view') {
      returnTo.current = mode
      return
    }
    if (returnTo.current === 'rename') renameButton.current?.focus()
    if (returnTo.current === 'delete') deleteButton.current?.focus()
    returnTo.current = 'view'
  }, [mode])

  const leave = () => setMode('view')

  if (mode === 'rename') {
    return (
      <li className="session">
        <RenameForm title={session.title} onSave={onRename} onClose={leave} />
      </li>
    )
  }
  if (mode === 'delete') {
    return (
      <li className="session">
        <ConfirmDelete title={session.title} onConfirm={onRemove} onClose={leave} />
      </li>
    )
  }
  return (
    <li className={current ? 'session current' : 'session'}>
      <button type="button" className="session-open" aria-current={current ? 'true' : undefined} onClick={onOpen}>
        <span className="session-title">{session.title}</span>
        <time className="session-date" dateTime={session.last_message_at}>
          {recentDate(session.last_message_at, new Date())}
        </time>
      </button>
      <span className="session-actions">
        <button
          type="button"
          className="icon-button"
          ref={renameButton}
          aria-label={`Rename ${session.title}`}
          onClick={() => setMode('rename')}
        >
          <RenameIcon />
        </button>
        <button
          type="button"
          className="icon-button"
          ref={deleteButton}
          aria-label={`Delete ${session.title}`}
          onClick={() => setMode('delete')}
        >
          <DeleteIcon />
        </button>
      </span>
    </li>
  )
}
