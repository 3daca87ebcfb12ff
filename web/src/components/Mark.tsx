export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="mark-ground" width="32" height="32" rx="8" />
      <path className="mark-tower" d="M13 24l1.4-11h3.2L19 24z" />
      <path className="mark-light" d="M13.6 11.5h4.8V9L16 6.8 13.6 9z" />
      <path className="mark-beam" d="M11.8 10.2L6 8.2v4.2zM20.2 10.2L26 8.2v4.2z" />
      <path className="mark-shore" d="M7 25.5h18" />
    </svg>
  )
}
