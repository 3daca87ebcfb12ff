interface SubmitButtonProps {
  busy: boolean
  children: string
  wide?: boolean
  /** Where another way is the first choice. */
  secondary?: boolean
}

/** Stays focusable while the form is under way, so that the keyboard does not lose its place. */
export function SubmitButton({ busy, children, wide = false, secondary = false }: SubmitButtonProps) {
  return (
    <button
      type="submit"
      className={`button ${secondary ? 'button-secondary' : 'button-primary'} ${wide ? 'button-wide' : ''}`}
      aria-disabled={busy}
    >
      {busy ? 'One moment…' : children}
    </button>
  )
}
