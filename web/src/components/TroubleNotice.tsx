import type { Trouble } from '../conversation/state'
import { troubleText } from '../conversation/troubleText'
import { AlertIcon } from './Icons'

interface TroubleNoticeProps {
  trouble: Trouble
  onRetry: () => void
  onEdit: () => void
  onRestart: () => void
}

export function TroubleNotice({ trouble, onRetry, onEdit, onRestart }: TroubleNoticeProps) {
  const { title, advice, remedy } = troubleText(trouble)
  const { requestId } = trouble.failure
  return (
    <div className="trouble" role="alert" data-testid="error">
      <AlertIcon />
      <div className="trouble-text">
        <p className="trouble-title">{title}</p>
        <p>{advice}</p>
        {requestId && (
          <p className="trouble-reference">
            Reference <code>{requestId}</code>
          </p>
        )}
        <div className="trouble-actions">
          {remedy === 'retry' && (
            <button type="button" className="button button-primary" onClick={onRetry}>
              Retry
            </button>
          )}
          {remedy === 'restart' && (
            <button type="button" className="button button-primary" onClick={onRestart}>
              Start a new conversation
            </button>
          )}
          {trouble.during === 'send' && remedy !== 'restart' && (
            <button type="button" className="button button-secondary" onClick={onEdit}>
              Edit message
            </button>
          )}
        </div>
      </div>
    </div>
  )
}
