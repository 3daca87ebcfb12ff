import { useId, useRef, useState } from 'react'
import { readStatement } from '../../api/banking'
import type { StatementFormat } from '../../api/types'
import { lastMonths } from '../../lib/months'
import { saveFile } from '../../lib/saveFile'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from '../identity/AccountSection'
import { ChevronIcon } from '../Icons'

const MONTHS_OFFERED = 13

interface StatementsProps {
  accountId: string
  last4: string
}

/** The account's statements of a month, to keep as a file. */
export function Statements({ accountId, last4 }: StatementsProps) {
  const [months] = useState(() => lastMonths(MONTHS_OFFERED, new Date()))
  const [month, setMonth] = useState(months[1]?.value ?? '')
  const [done, setDone] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})
  const selectId = useId()

  const download = (format: StatementFormat) =>
    submit(async () => {
      setDone('')
      const name = `statement-${last4}-${month}.${format}`
      saveFile(await readStatement(accountId, month, format), name)
      setDone(`${name} is in your downloads.`)
    })

  return (
    <AccountSection title="Statements" headingRef={heading} done={done} problem={problem}>
      <div className="field">
        <label htmlFor={selectId}>Month</label>
        <span className="customer-control select">
          <select id={selectId} value={month} onChange={(event) => setMonth(event.target.value)}>
            {months.map(({ value, title }) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
          <ChevronIcon />
        </span>
      </div>
      <div className="form-actions">
        {(['pdf', 'csv'] as const).map((format) => (
          <button
            key={format}
            type="button"
            className="button button-secondary"
            aria-disabled={busy}
            onClick={() => void download(format)}
          >
            Download {format.toUpperCase()}
          </button>
        ))}
      </div>
    </AccountSection>
  )
}
