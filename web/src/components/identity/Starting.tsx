interface StartingProps {
  unreachable: boolean
  notice: string | null
}

/** Before it is known who uses the page. It says nothing for the first moment, which is mostly all there is. */
export function Starting({ unreachable, notice }: StartingProps) {
  return (
    <main className="page starting">
      <h1 className="visually-hidden">Harborlight Bank assistant</h1>
      {notice !== null && <p role="status">{notice}</p>}
      <p role="status" className={unreachable ? undefined : 'late'}>
        {unreachable ? 'The bank cannot be reached. Trying again…' : 'One moment…'}
      </p>
    </main>
  )
}
