import { type FormEvent, type ReactNode, useState } from 'react'
import { addPayee } from '../../api/banking'
import type { Payee, PayeeRequest } from '../../api/types'
import { useSubmit } from '../../lib/useSubmit'
import { Field } from '../identity/Field'
import { FormProblem } from '../identity/FormProblem'
import { SubmitButton } from '../identity/SubmitButton'

const SORTS = [
  { value: 'elsewhere', title: 'A person at another bank' },
  { value: 'here', title: 'A person at this bank' },
  { value: 'biller', title: 'A biller' },
] as const
const LABELS = { name: 'The name', account_number: 'The account number', account_reference: 'The reference' }

type Sort = (typeof SORTS)[number]['value']

interface NewPayeeProps {
  onAdded: (payee: Payee) => void
  children: ReactNode
}

export function NewPayee({ onAdded, children }: NewPayeeProps) {
  const [sort, setSort] = useState<Sort>('elsewhere')
  const [name, setName] = useState('')
  const [account, setAccount] = useState('')
  const field = sort === 'here' ? 'account_reference' : 'account_number'
  const { busy, problem, formRef, submit, refuse } = useSubmit(LABELS, field)

  const add = async (event: FormEvent) => {
    event.preventDefault()
    if (name.trim() === '') return refuse({ name: 'Give the name of the payee.' })
    if (account.trim() === '') return refuse({ [field]: 'Give the account.' })
    await submit(async () => onAdded(await addPayee(requestOf(sort, name.trim(), account.trim()))))
  }

  return (
    <form className="form" ref={formRef} onSubmit={add} noValidate>
      <FormProblem message={problem.message} failure={problem.failure} />
      <fieldset className="choices">
        <legend>Who is it?</legend>
        {SORTS.map(({ value, title }) => (
          <label key={value} className="choice">
            <input
              type="radio"
              name="payee-sort"
              value={value}
              checked={sort === value}
              onChange={() => setSort(value)}
            />
            {title}
          </label>
        ))}
      </fieldset>
      <Field
        label="Name"
        name="payee-name"
        autoComplete="off"
        maxLength={100}
        autoFocus
        value={name}
        problem={problem.fields.name}
        onChange={(event) => setName(event.target.value)}
      />
      <Field
        label={sort === 'here' ? 'Reference of their account' : 'Account number or IBAN'}
        hint={sort === 'here' ? 'The payee reads it in their own list of accounts.' : undefined}
        name="payee-account"
        autoComplete="off"
        maxLength={40}
        value={account}
        problem={problem.fields[field]}
        onChange={(event) => setAccount(event.target.value)}
      />
      <div className="form-actions">
        <SubmitButton busy={busy}>Add the payee</SubmitButton>
        {children}
      </div>
    </form>
  )
}

function requestOf(sort: Sort, name: string, account: string): PayeeRequest {
  if (sort === 'here') return { kind: 'person', name, account_reference: account.toLowerCase() }
  return { kind: sort === 'biller' ? 'biller' : 'person', name, account_number: account }
}
