import type { Factors } from '../../api/types'
import type { Loaded } from '../../lib/useLoaded'
import { AuthenticatorApp } from './AuthenticatorApp'
import { FormProblem } from './FormProblem'
import { Passkeys } from './Passkeys'

interface SecondFactorsProps {
  view: Loaded<Factors>
  onChanged: (factors: Factors) => void
}

export function SecondFactors({ view, onChanged }: SecondFactorsProps) {
  const { value: factors, problem, reload } = view
  return (
    <>
      <FormProblem message={problem}>
        <button type="button" className="link-button" onClick={reload}>
          Try again
        </button>
      </FormProblem>
      <div className="account-factors" aria-busy={factors === null && problem === null}>
        {factors === null && problem === null && <p className="loading">Loading your second factors…</p>}
        {factors !== null && (
          <>
            <AuthenticatorApp factors={factors} onChanged={onChanged} />
            <Passkeys factors={factors} onChanged={onChanged} />
          </>
        )}
      </div>
    </>
  )
}
