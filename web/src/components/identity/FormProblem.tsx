import type { ReactNode } from 'react'
import { AlertIcon } from '../Icons'

interface FormProblemProps {
  message: string | null
  children?: ReactNode
}

/** Says what went wrong. The region is always there, so that it is read out when it fills. */
export function FormProblem({ message, children }: FormProblemProps) {
  return (
    <div role="alert" className="form-problem-region">
      {message !== null && (
        <div className="form-problem" data-testid="form-problem">
          <AlertIcon />
          <div>
            <p>{message}</p>
            {children}
          </div>
        </div>
      )}
    </div>
  )
}
