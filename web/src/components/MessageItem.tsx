import type { Message } from '../conversation/state'
import { timeOfDay } from '../lib/format'
import { AnswerDetailsPanel } from './AnswerDetailsPanel'
import { Mark } from './Mark'

export function MessageItem({ message }: { message: Message }) {
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
  return (
    <article className="message from-assistant" data-testid="message-assistant">
      <Mark />
      <div className="answer">
        <h2 className="visually-hidden">Assistant</h2>
        <p className="bubble">{message.text}</p>
        <AnswerDetailsPanel details={message.details}>
          <time dateTime={message.at}>{timeOfDay(message.at)}</time>
        </AnswerDetailsPanel>
      </div>
    </article>
  )
}
