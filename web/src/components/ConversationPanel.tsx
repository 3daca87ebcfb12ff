import { useRef } from 'react'
import type { SessionList } from '../sessions/useSessions'
import { SessionItem } from './SessionItem'

interface ConversationPanelProps {
  list: SessionList
  currentId: string | null
  demo: boolean
  onOpen: (id: string) => void
  onRemoved: (id: string) => void
}

export function ConversationPanel({ list, currentId, demo, onOpen, onRemoved }: ConversationPanelProps) {
  const heading = useRef<HTMLHeadingElement>(null)

  const remove = async (id: string) => {
    await list.remove(id)
    heading.current?.focus()
    onRemoved(id)
  }

  return (
    <nav className="panel" aria-labelledby="panel-title">
      <h2 id="panel-title" className="panel-title" tabIndex={-1} ref={heading}>
        Conversations
      </h2>
      <div className="panel-list">
        {list.failure && (
          <p className="panel-note" role="status">
            Your conversations could not be loaded or changed.{' '}
            <button type="button" className="link-button" onClick={list.refresh}>
              Reload the list
            </button>
          </p>
        )}
        {list.loaded && !list.failure && list.sessions.length === 0 && (
          <p className="panel-note">Your conversations will appear here.</p>
        )}
        <ul className="sessions">
          {list.sessions.map((session) => (
            <SessionItem
              key={session.id}
              session={session}
              current={session.id === currentId}
              onOpen={() => onOpen(session.id)}
              onRename={(title) => list.rename(session.id, title)}
              onRemove={() => remove(session.id)}
            />
          ))}
        </ul>
        {list.hasMore && (
          <button type="button" className="button button-quiet button-wide" onClick={list.loadMore}>
            Show older
          </button>
        )}
      </div>
      {demo && (
        <p className="panel-foot">
          A demonstration: the bank, its customers and their money are invented. Please do not enter real account
          details.
        </p>
      )}
    </nav>
  )
}
