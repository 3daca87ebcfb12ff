import { type FormEvent, useState } from 'react'
import { beginStepUp, confirmTotp, disableTotp, enrolTotp } from '../../api/client'
import type { Challenge, Factors, Proof, StepUpAnswer, TotpEnrolment } from '../../api/types'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from './AccountSection'
import { CancelButton } from './CancelButton'
import { FormProblem } from './FormProblem'
import { CodeField, ProofForm } from './ProofForm'
import { QrCode } from './QrCode'
import { SubmitButton } from './SubmitButton'
import { useFactorChange } from './useFactorChange'

type Step =
  | { name: 'proving'; action: 'totp.enrol' | 'totp.disable'; challenge: Challenge }
  | { name: 'enrolling'; enrolment: TotpEnrolment }

interface AuthenticatorAppProps {
  factors: Factors
  onChanged: (factors: Factors) => void
}

export function AuthenticatorApp({ factors, onChanged }: AuthenticatorAppProps) {
  const change = useFactorChange<Step>(onChanged)
  const { step, heading, busy, leave, finish } = change

  const prove = async (action: 'totp.enrol' | 'totp.disable'): Promise<Step> => ({
    name: 'proving',
    action,
    challenge: await beginStepUp(action),
  })

  const enrol = async (answer: StepUpAnswer | null): Promise<Step> => {
    const enrolment = await enrolTotp(answer)
    heading.current?.focus() // the picture and the key come before the field for the code
    return { name: 'enrolling', enrolment }
  }

  const setUp = () => change.begin(() => (factors.passkeys.length > 0 ? prove('totp.enrol') : enrol(null)))

  const remove = () => change.begin(() => prove('totp.disable'))

  const giveProof = async (action: 'totp.enrol' | 'totp.disable', challenge: Challenge, proof: Proof) => {
    const answer = { challenge_id: challenge.challenge_id, ...proof }
    if (action === 'totp.enrol') change.go(await enrol(answer))
    else finish(await disableTotp(answer), 'The authenticator app is removed.')
  }

  return (
    <AccountSection title="Authenticator app" headingRef={heading} done={change.done} problem={change.problem}>
      {step === null && (
        <>
          <p>
            {factors.totp
              ? 'Signing in asks for a code from your app.'
              : 'An app on your phone shows a new code every 30 seconds; signing in then asks for it.'}
          </p>
          <div className="form-actions">
            <button
              type="button"
              className="button button-secondary"
              aria-disabled={busy}
              onClick={() => void (factors.totp ? remove() : setUp())}
            >
              {factors.totp ? 'Remove the app' : 'Set up an app'}
            </button>
          </div>
        </>
      )}
      {step?.name === 'proving' && (
        <>
          <p>
            {step.action === 'totp.enrol'
              ? 'Confirm first that it is you.'
              : 'Remove the app? Signing in will not ask for its code any more.'}
          </p>
          <ProofForm
            key={step.challenge.challenge_id}
            challenge={step.challenge}
            action={step.action === 'totp.enrol' ? 'Continue' : 'Remove the app'}
            onProof={(proof) => giveProof(step.action, step.challenge, proof)}
            onRestart={() => void (step.action === 'totp.enrol' ? setUp() : remove())}
          >
            <CancelButton onClick={leave} />
          </ProofForm>
        </>
      )}
      {step?.name === 'enrolling' && (
        <Enrolment
          enrolment={step.enrolment}
          onConfirmed={(changed) => finish(changed, 'The authenticator app is set up.')}
          onCancel={leave}
        />
      )}
    </AccountSection>
  )
}

interface EnrolmentProps {
  enrolment: TotpEnrolment
  onConfirmed: (factors: Factors) => void
  onCancel: () => void
}

function Enrolment({ enrolment, onConfirmed, onCancel }: EnrolmentProps) {
  const [code, setCode] = useState('')
  const { busy, problem, formRef, submit, refuse } = useSubmit({ code: 'The code' }, 'code')

  const confirm = async (event: FormEvent) => {
    event.preventDefault()
    const digits = code.replace(/\s/g, '')
    if (!/^[0-9]{6}$/.test(digits)) return refuse({ code: 'Enter the six digits that the app shows now.' })
    await submit(async () => onConfirmed(await confirmTotp(digits)))
  }

  return (
    <form className="form" ref={formRef} onSubmit={confirm} noValidate>
      <FormProblem message={problem.message} failure={problem.failure} />
      <div className="enrolment">
        <QrCode text={enrolment.uri} label="QR code with the key below, for the camera of your app" />
        <div className="enrolment-text">
          <p>
            Scan the picture with the app, or <a href={enrolment.uri}>open it in an app on this device</a>, or type the
            key:
          </p>
          <p>
            <code className="enrolment-key" data-testid="totp-secret">
              {grouped(enrolment.secret)}
            </code>
          </p>
          <p>Show it to nobody. It is not shown again.</p>
        </div>
      </div>
      <CodeField value={code} problem={problem.fields.code} onChange={setCode} />
      <div className="form-actions">
        <SubmitButton busy={busy}>Confirm the code</SubmitButton>
        <CancelButton onClick={onCancel} />
      </div>
    </form>
  )
}

function grouped(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, '$1 ')
}
