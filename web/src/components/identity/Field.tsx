import { type InputHTMLAttributes, useId, useState } from 'react'

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string
  hint?: string
  problem?: string | undefined
}

export function Field({ label, hint, problem, type = 'text', ...rest }: FieldProps) {
  const id = useId()
  const [shown, setShown] = useState(false)
  const secret = type === 'password'
  const describedBy = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ')
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {hint && (
        <p id={`${id}-hint`} className="field-hint">
          {hint}
        </p>
      )}
      <span className={secret ? 'field-control with-button' : 'field-control'}>
        <input
          {...rest}
          id={id}
          type={secret && shown ? 'text' : type}
          aria-describedby={describedBy || undefined}
          aria-invalid={problem !== undefined}
          autoCapitalize="none"
          autoCorrect="off"
          spellCheck={false}
        />
        {secret && (
          <button
            type="button"
            className="field-button"
            aria-label={shown ? 'Hide the password' : 'Show the password'}
            onClick={() => setShown(!shown)}
          >
            {shown ? 'Hide' : 'Show'}
          </button>
        )}
      </span>
      {problem && (
        <p id={`${id}-problem`} className="field-problem">
          {problem}
        </p>
      )}
    </div>
  )
}
