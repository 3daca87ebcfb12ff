import { NewIcon } from './Icons'

interface NewConversationButtonProps {
  compact: boolean
  onClick: () => void
}

export function NewConversationButton({ compact, onClick }: NewConversationButtonProps) {
  return (
    <button
      type="button"
      className={compact ? 'icon-button' : 'button button-secondary button-wide'}
      data-testid="new-conversation"
      aria-label={compact ? 'New conversation' : undefined}
      onClick={onClick}
    >
      <NewIcon />
      {!compact && 'New conversation'}
    </button>
  )
}
