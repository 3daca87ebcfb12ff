import { useCallback, useEffect, useRef, useState } from 'react'
import { beginOperationStepUp, callOffOperation, confirmOperation, readOperation } from '../api/banking'
import { type ApiFailure, failureFromException, isLost } from '../api/failure'
import type { Challenge, Operation, Pending, Proof, StepUpAnswer } from '../api/types'
import { useCountdown } from './useCountdown'

const ASK_AGAIN_AFTER_MS = [0, 1000, 2000, 4000, 8000]
const OVER_ASK_AFTER_MS = 300

export type Phase =
  | { name: 'waiting' }
  | { name: 'sending' }
  | { name: 'proving'; challenge: Challenge }
  /** The bank is being asked what became of the operation; `lost` if that is because an answer of it was. */
  | { name: 'asking'; lost: boolean }
  /** The bank could not be asked. */
  | { name: 'unknown' }

export interface OperationTrouble {
  message: string
  /** Whether it wants a second factor that the customer has not set up. */
  setUp?: boolean
}

export interface OperationView {
  status: Operation['status']
  /** As the bank told it last; null while nobody has asked since it was shown. */
  known: Operation | null
  phase: Phase
  /** Whole seconds left to confirm. */
  left: number
  trouble: OperationTrouble | null
  /** Whether something was pressed here, so that what came of it may take the focus. */
  acted: boolean
  confirm: () => void
  giveProof: (challenge: Challenge, proof: Proof) => Promise<void>
  leaveProof: () => void
  callOff: () => void
  /** Ask the bank again what became of it. */
  ask: () => void
}

const WAITING: Phase = { name: 'waiting' }
const UNREACHABLE: OperationTrouble = { message: 'The bank could not be reached, and nothing was done. Try again.' }

/**
 * One operation that waits for its owner, until it is decided. The status is always the bank's own word: where an
 * answer was lost, nothing is said of the operation before the bank has told. While `away`, the conversation may be
 * changing it; afterwards the bank is asked.
 */
export function useOperation(pending: Pending, away: boolean): OperationView {
  const { id, requires } = pending
  const [known, setKnown] = useState<Operation | null>(null)
  const [phase, setPhase] = useState(WAITING)
  const [trouble, setTrouble] = useState<OperationTrouble | null>(null)
  const [deciding, setDeciding] = useState(false)
  const [acted, setActed] = useState(false)
  const here = useRef(true)
  const wasAway = useRef(false)
  const status = known?.status ?? 'pending'
  const open = status === 'pending'
  const left = useCountdown(pending.expires_at, open)

  useEffect(() => {
    here.current = true
    return () => {
      here.current = false
    }
  }, [])

  const learn = useCallback((found: Operation) => setKnown((before) => later(before, found)), [])

  /** Only the bank knows what became of it. `undone` is what is said if that is nothing. */
  const ask = useCallback(
    async (undone: string | null) => {
      setPhase({ name: 'asking', lost: undone !== null })
      setTrouble(null)
      for (const wait of ASK_AGAIN_AFTER_MS) {
        await new Promise((resolve) => window.setTimeout(resolve, wait))
        if (!here.current) return
        try {
          const found = await readOperation(id)
          learn(found)
          if (found.status === 'pending' && undone !== null) setTrouble({ message: undone })
          setPhase(WAITING)
          return
        } catch (cause) {
          if (!isLost(failureFromException(cause))) break
        }
      }
      setPhase({ name: 'unknown' })
    },
    [id, learn],
  )

  useEffect(() => {
    if (!away && wasAway.current && open) void ask(null)
    wasAway.current = away
  }, [away, open, ask])

  const over = open && left === 0
  useEffect(() => {
    if (!over || deciding || phase.name === 'asking' || phase.name === 'unknown') return
    const timer = window.setTimeout(() => void ask(null), OVER_ASK_AFTER_MS)
    return () => window.clearTimeout(timer)
  }, [over, deciding, phase, ask])

  /** The bank said no, so nothing was done. What it no longer takes is shown as what it has become. */
  const refused = async (failure: ApiFailure) => {
    if (failure.code === 'CONFLICT' || failure.code === 'PENDING_EXPIRED') return ask(null)
    setPhase(WAITING)
    const setUp = failure.code === 'STEP_UP_REQUIRED' && !failure.wantsSignIn
    setTrouble({ message: `Nothing was done. ${failure.message}`, setUp })
  }

  const decide = async (decision: Promise<Operation>) => {
    setDeciding(true)
    try {
      learn(await decision)
      setPhase(WAITING)
    } finally {
      setDeciding(false)
    }
  }

  const prove = async () => {
    const challenge = await beginOperationStepUp(id)
    if (challenge === null) await approve(null)
    else setPhase({ name: 'proving', challenge })
  }

  const approve = async (stepUp: StepUpAnswer | null) => {
    try {
      await decide(confirmOperation(id, stepUp))
    } catch (cause) {
      const failure = failureFromException(cause)
      if (isLost(failure)) return ask('It has not been done so far. Confirming again is safe: it is done once at most.')
      if (failure.code !== 'STEP_UP_REQUIRED') return refused(failure)
      if (stepUp !== null) throw failure
      await prove()
    }
  }

  const press = (work: () => Promise<void>) => {
    if (away || phase.name === 'sending' || phase.name === 'asking') return
    setActed(true)
    setTrouble(null)
    setPhase({ name: 'sending' })
    void work()
  }

  /** Until a proof is given nothing can have been done, so a lost answer may be told at once. */
  const confirm = async () => {
    try {
      await (requires.length > 0 ? prove() : approve(null))
    } catch (cause) {
      const failure = failureFromException(cause)
      if (!isLost(failure)) return refused(failure)
      setPhase(WAITING)
      setTrouble(UNREACHABLE)
    }
  }

  const callOff = async () => {
    try {
      await decide(callOffOperation(id))
    } catch (cause) {
      const failure = failureFromException(cause)
      await (isLost(failure) ? ask('It has not been called off so far. Try again.') : refused(failure))
    }
  }

  return {
    status,
    known,
    phase,
    left,
    trouble,
    acted,
    confirm: () => press(confirm),
    giveProof: ({ challenge_id }, proof) => approve({ challenge_id, ...proof }),
    leaveProof: () => setPhase(WAITING),
    callOff: () => press(callOff),
    ask: () => void ask(null),
  }
}

/** What is known, of two answers that may have crossed: what was decided stays so, what was done was not too late. */
function later(before: Operation | null, found: Operation): Operation {
  return before !== null && finality(before) > finality(found) ? before : found
}

function finality({ status }: Operation): number {
  return status === 'pending' ? 0 : status === 'expired' ? 1 : 2
}
