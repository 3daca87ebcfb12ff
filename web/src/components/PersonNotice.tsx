import type { Handoff } from '../api/types'
import { useSubmit } from '../lib/useSubmit'
import { FormProblem } from './identity/FormProblem'
import { PersonIcon } from './Icons'

interface PersonNoticeProps {
  handoff: Handoff | null
  onTakeBack: () => Promise<void>
}

/** Says that a person answers, and leads back to the assistant. The region is always there, so that it is read out. */
export function PersonNotice({ handoff, onTakeBack }: PersonNoticeProps) {
  const { busy, problem, submit } = useSubmit({})
  return (
    <div role="status" className="person-region">
      {handoff !== null && (
        <div className="person" data-testid="person">
          <PersonIcon />
          <p>
            {handoff.status === 'waiting'
              ? 'A person was called and answers you here. You can go on writing.'
              : 'A person of the bank answers you here.'}
          </p>
          <button type="button" className="link-button" aria-disabled={busy} onClick={() => void submit(onTakeBack)}>
            Go on with the assistant
          </button>
          <FormProblem message={problem.message} failure={problem.failure} />
        </div>
      )}
    </div>
  )
}
