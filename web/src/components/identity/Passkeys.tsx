import { type FormEvent, useState } from 'react'
import { beginPasskey, beginStepUp, deletePasskey, registerPasskey } from '../../api/client'
import type { Challenge, Factors, Passkey, PasskeyOptions, Proof } from '../../api/types'
import { createPasskey } from '../../identity/passkeys'
import { recentDate } from '../../lib/format'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from './AccountSection'
import { CancelButton } from './CancelButton'
import { Field } from './Field'
import { FormProblem } from './FormProblem'
import { ProofForm } from './ProofForm'
import { SubmitButton } from './SubmitButton'
import { useFactorChange } from './useFactorChange'

type Step =
  | { name: 'adding'; options: PasskeyOptions }
  | { name: 'proving-new'; challenge: Challenge }
  | { name: 'proving-delete'; passkey: Passkey; challenge: Challenge }

interface PasskeysProps {
  factors: Factors
  onChanged: (factors: Factors) => void
}

export function Passkeys({ factors, onChanged }: PasskeysProps) {
  const change = useFactorChange<Step>(onChanged)
  const { step, busy, leave, finish } = change

  const add = () =>
    change.begin(async () =>
      factors.totp || factors.passkeys.length > 0
        ? { name: 'proving-new', challenge: await beginStepUp('webauthn.register') }
        : { name: 'adding', options: await beginPasskey(null) },
    )

  const remove = (passkey: Passkey) =>
    change.begin(async () => ({
      name: 'proving-delete',
      passkey,
      challenge: await beginStepUp('webauthn.delete', passkey.id),
    }))

  const proveNew = async ({ challenge_id }: Challenge, proof: Proof) =>
    change.go({ name: 'adding', options: await beginPasskey({ challenge_id, ...proof }) })

  const proveDelete = async (passkey: Passkey, { challenge_id }: Challenge, proof: Proof) =>
    finish(await deletePasskey(passkey.id, { challenge_id, ...proof }), 'The passkey is deleted.')

  return (
    <AccountSection title="Passkeys" headingRef={change.heading} done={change.done} problem={change.problem}>
      {step === null && (
        <>
          <p>A passkey lies on a device or security key of yours. A false page cannot use it.</p>
          {factors.passkeys.length > 0 && (
            <ul className="account-list" aria-label="Your passkeys">
              {factors.passkeys.map((passkey) => (
                <PasskeyItem key={passkey.id} passkey={passkey} onDelete={() => void remove(passkey)} />
              ))}
            </ul>
          )}
          <div className="form-actions">
            <button type="button" className="button button-secondary" aria-disabled={busy} onClick={() => void add()}>
              Add a passkey
            </button>
          </div>
        </>
      )}
      {step?.name === 'proving-new' && (
        <>
          <p>Confirm first that it is you.</p>
          <ProofForm
            key={step.challenge.challenge_id}
            challenge={step.challenge}
            action="Continue"
            onProof={(proof) => proveNew(step.challenge, proof)}
            onRestart={() => void add()}
          >
            <CancelButton onClick={leave} />
          </ProofForm>
        </>
      )}
      {step?.name === 'proving-delete' && (
        <>
          <p>Delete the passkey “{step.passkey.name}”? Signing in with it will not work any more.</p>
          <ProofForm
            key={step.challenge.challenge_id}
            challenge={step.challenge}
            action="Delete the passkey"
            onProof={(proof) => proveDelete(step.passkey, step.challenge, proof)}
            onRestart={() => void remove(step.passkey)}
          >
            <CancelButton onClick={leave} />
          </ProofForm>
        </>
      )}
      {step?.name === 'adding' && (
        <NewPasskey
          options={step.options}
          onAdded={(passkey) =>
            finish({ ...factors, passkeys: [...factors.passkeys, passkey] }, 'The passkey is added.')
          }
          onCancel={leave}
        />
      )}
    </AccountSection>
  )
}

function PasskeyItem({ passkey, onDelete }: { passkey: Passkey; onDelete: () => void }) {
  const now = new Date()
  return (
    <li className="account-item">
      <span className="account-item-text">
        <span className="account-item-name">{passkey.name}</span>
        <span className="account-item-dates">
          Added {recentDate(passkey.created_at, now)}
          {passkey.last_used_at !== null && `, last used ${recentDate(passkey.last_used_at, now)}`}
        </span>
      </span>
      <button
        type="button"
        className="button button-quiet"
        aria-label={`Delete the passkey ${passkey.name}`}
        onClick={onDelete}
      >
        Delete
      </button>
    </li>
  )
}

interface NewPasskeyProps {
  options: PasskeyOptions
  onAdded: (passkey: Passkey) => void
  onCancel: () => void
}

/** Browsers make a passkey only on a press of a button, so the name is asked for last. */
function NewPasskey({ options, onAdded, onCancel }: NewPasskeyProps) {
  const [name, setName] = useState('')
  const { busy, problem, formRef, submit, refuse } = useSubmit({ name: 'The name' })

  const create = async (event: FormEvent) => {
    event.preventDefault()
    if (name.trim() === '') return refuse({ name: 'Give the passkey a name.' })
    await submit(async () => {
      const credential = await createPasskey(options.options)
      onAdded(await registerPasskey(options.challenge_id, credential, name.trim()))
    })
  }

  return (
    <form className="form" ref={formRef} onSubmit={create} noValidate>
      <FormProblem message={problem.message} failure={problem.failure} />
      <Field
        label="Name of the passkey"
        hint="So that you know it again, such as the device that it lies on."
        name="passkey-name"
        autoComplete="off"
        maxLength={100}
        autoFocus
        value={name}
        problem={problem.fields.name}
        onChange={(event) => setName(event.target.value)}
      />
      <div className="form-actions">
        <SubmitButton busy={busy}>Create the passkey</SubmitButton>
        <CancelButton onClick={onCancel} />
      </div>
    </form>
  )
}
