import type { ReactNode } from 'react'
import type { ApiFailure } from '../../api/failure'
import { bankSession } from '../../identity/session'
import { AlertIcon } from '../Icons'

interface FormProblemProps {
  message: string | null
  failure?: ApiFailure | null
  children?: ReactNode
}

/**
 * Says what went wrong, and offers to sign in again where the server wants that first. The region is always there, so
 * that it is read out when it fills.
 */
export function FormProblem({ message, failure = null, children }: FormProblemProps) {
  return (
    <div role="alert" className="form-problem-region">
      {message !== null && (
        <div className="form-problem" data-testid="form-problem">
          <AlertIcon />
          <div>
            <p>{message}</p>
            {failure?.wantsSignIn && (
              <button type="button" className="link-button" onClick={() => void bankSession.signInAgain()}>
                Sign in again
              </button>
            )}
            {children}
          </div>
        </div>
      )}
    </div>
  )
}
