interface SubmitButtonProps {
  busy: boolean
  children: string
  wide?: boolean
}

/** Stays focusable while the form is under way, so that the keyboard does not lose its place. */
export function SubmitButton({ busy, children, wide = false }: SubmitButtonProps) {
  return (
    <button
      type="submit"
      className={wide ? 'button button-primary button-wide' : 'button button-primary'}
      aria-disabled={busy}
    >
      {busy ? 'One moment…' : children}
    </button>
  )
}
