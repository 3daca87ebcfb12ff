import type { Message } from '../conversation/state'
import { timeOfDay } from '../lib/format'
import { AnswerDetailsPanel } from './AnswerDetailsPanel'
import { OperationCard } from './banking/OperationCard'
import { PersonIcon } from './Icons'
import { Mark } from './Mark'

interface MessageItemProps {
  message: Message
  /** Whether what a message proposed may be changing now. */
  away: boolean
}

export function MessageItem({ message, away }: MessageItemProps) {
  if (message.role === 'user') {
    return (
      <article className={`message from-user ${message.delivery}`} data-testid="message-user">
        <h2 className="visually-hidden">You</h2>
        <p className="bubble">{message.text}</p>
        <p className="message-meta">
          {message.delivery === 'failed' ? 'Not sent' : <time dateTime={message.at}>{timeOfDay(message.at)}</time>}
        </p>
      </article>
    )
  }
  const { text, pending, byPerson } = message
  const [before, note, after] = pending === null ? [text, '', ''] : around(text, pending.summary)
  return (
    <article className="message from-assistant" data-testid="message-assistant">
      {byPerson ? <PersonIcon /> : <Mark />}
      <div className="answer">
        {byPerson ? (
          <h2 className="person-name">A person of the bank</h2>
        ) : (
          <h2 className="visually-hidden">Assistant</h2>
        )}
        {before !== '' && <p className="bubble">{before}</p>}
        {pending !== null && <OperationCard key={pending.id} pending={pending} note={note} away={away} />}
        {after !== '' && <p className="bubble">{after}</p>}
        <AnswerDetailsPanel details={message.details}>
          <time dateTime={message.at}>{timeOfDay(message.at)}</time>
        </AnswerDetailsPanel>
      </div>
    </article>
  )
}

/** A text around what it proposes: what comes before, what is said of it, and what comes after. */
function around(text: string, summary: string): [string, string, string] {
  const [before = '', ...rest] = text.split(summary)
  if (rest.length === 0) return [text, '', '']
  const [note = '', ...after] = rest.join(summary).split('\n\n')
  return [before.trim(), note.trim(), after.join('\n\n').trim()]
}
