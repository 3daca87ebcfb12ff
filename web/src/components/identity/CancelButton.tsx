export function CancelButton({ onClick }: { onClick: () => void }) {
  return (
    <button type="button" className="button button-quiet" onClick={onClick}>
      Cancel
    </button>
  )
}
