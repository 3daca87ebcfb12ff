import { FormProblem } from '../identity/FormProblem'

interface LoadingProps {
  what: string
  coming: boolean
  problem: string | null
  onRetry: () => void
}

/** Says that something is on its way, or that it did not come. */
export function Loading({ what, coming, problem, onRetry }: LoadingProps) {
  return (
    <>
      <FormProblem message={problem}>
        <button type="button" className="link-button" onClick={onRetry}>
          Try again
        </button>
      </FormProblem>
      {coming && problem === null && <p className="loading">Loading {what}…</p>}
    </>
  )
}
