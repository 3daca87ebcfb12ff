import type { Account, Card, Operation, Pending } from '../api/types'
import type { Failing } from './fakeBank'

export const OPERATION_ID = '0198a000-0000-7000-8000-0000000000e1'
export const ACCOUNT_ID = '0198a000-0000-7000-8000-0000000000a1'
export const CARD_ID = '0198a000-0000-7000-8000-0000000000b1'
export const SUMMARY = 'Send $50.00 from Everyday Checking (ending 4821) to Alice Johnson (ending 3000) now. There is no fee.'

export function account(changes: Partial<Account> = {}): Account {
  return {
    id: ACCOUNT_ID,
    kind: 'checking',
    name: 'Everyday Checking',
    number_last4: '4821',
    status: 'open',
    balance: { amount: '4318.42', currency: 'USD' },
    held: { amount: '0.00', currency: 'USD' },
    available: { amount: '4318.42', currency: 'USD' },
    ...changes,
  }
}

export function operation(changes: Partial<Operation> = {}): Operation {
  return {
    id: OPERATION_ID,
    kind: 'payee_transfer',
    status: 'pending',
    summary: SUMMARY,
    amount: '50.00',
    fee: '0.00',
    currency: 'USD',
    requires: [],
    created_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 300_000).toISOString(),
    executed_at: null,
    confirmation_code: null,
    from_account: ACCOUNT_ID,
    when: 'now',
    ...changes,
  }
}

export const DONE: Partial<Operation> = {
  status: 'executed',
  executed_at: '2025-11-21T10:00:00.000Z',
  confirmation_code: 'ABCDE-23456',
}

/** One operation of the customer, and what goes wrong on the way to it. */
export class FakeMoney {
  operation = operation()
  account = account()
  card: Card = {
    id: CARD_ID,
    account_id: ACCOUNT_ID,
    kind: 'debit',
    name: 'Harborlight Visa',
    number_last4: '1174',
    expires_on: '2030-10-31',
    status: 'active',
    daily_limit: null,
    replaced: false,
  }
  /** Before the decision is made; a lost answer comes after it. */
  refusals: Failing[] = []
  lostAnswers = 0
  offlineLooks = 0
  stepUpRefusals: Failing[] = []
  readonly decisions: { approve: boolean; step_up?: { code?: string } | null }[] = []

  get pending(): Pending & { kind: string } {
    return this.operation
  }

  /** The answer to a route of the bank's; undefined for one that it does not have, `offline` where none arrives. */
  answer(route: string, body: unknown): unknown {
    switch (route.replaceAll(OPERATION_ID, '{op}').replaceAll(ACCOUNT_ID, '{account}')) {
      case 'GET /api/v2/accounts':
        return { items: [this.account] }
      case 'GET /api/v2/accounts/{account}':
        return this.account
      case 'GET /api/v2/cards':
        return { items: [this.card] }
      case `POST /api/v2/cards/${CARD_ID}/freeze`:
        this.card = { ...this.card, status: 'frozen' }
        return this.card
      case `POST /api/v2/cards/${CARD_ID}/unfreeze`:
        return NEEDS_PROOF
      case 'GET /api/v2/operations':
        return { items: [this.operation], next_cursor: null }
      case 'GET /api/v2/operations/{op}':
        this.offlineLooks -= 1
        return this.offlineLooks >= 0 ? 'offline' : this.operation
      case 'POST /api/v2/operations/{op}/step-up':
        return this.stepUpRefusals.shift() ?? { challenge: CHALLENGE }
      case 'POST /api/v2/chat/confirmations/{op}':
        return this.decide(body as FakeMoney['decisions'][number])
      default:
        return undefined
    }
  }

  private decide(decision: FakeMoney['decisions'][number]): unknown {
    this.decisions.push(decision)
    const refusal = this.refusals.shift()
    if (refusal) return refusal
    this.operation = { ...this.operation, ...(decision.approve ? DONE : { status: 'voided' }) }
    this.lostAnswers -= 1
    return this.lostAnswers >= 0 ? 'offline' : this.operation
  }
}

const CHALLENGE = {
  challenge_id: '0198a000-0000-7000-8000-0000000000f1',
  methods: ['totp'],
  expires_at: '2030-01-01T00:00:00.000Z',
  webauthn: null,
}

const NEEDS_PROOF = {
  status: 403,
  message: 'Prove a second factor for this.',
  code: 'STEP_UP_REQUIRED',
  details: { methods: ['totp'], operation_id: OPERATION_ID },
}
