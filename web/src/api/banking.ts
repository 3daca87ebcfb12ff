import { api } from './bankApi'
import { failureFromException, failureFromResponse } from './failure'
import { unwrap } from './http'
import type {
  Account,
  Card,
  Challenge,
  Operation,
  OperationPage,
  Payee,
  PayeeRequest,
  StatementFormat,
  StepUpAnswer,
  TransactionPage,
} from './types'

/** An answer that takes longer counts as lost. */
const DECISION_TIMEOUT_MS = 20_000
const LOOK_TIMEOUT_MS = 10_000

export async function listAccounts(): Promise<Account[]> {
  return (await unwrap(api.GET('/api/v2/accounts'))).items
}

export function readAccount(accountId: string): Promise<Account> {
  const params = { path: { account_id: accountId } }
  return unwrap(api.GET('/api/v2/accounts/{account_id}', { params }))
}

export function listTransactions(accountId: string, cursor: string | null): Promise<TransactionPage> {
  const params = { path: { account_id: accountId }, query: { limit: 20, cursor: cursor ?? undefined } }
  return unwrap(api.GET('/api/v2/accounts/{account_id}/transactions', { params }))
}

/** A month's statement; `month` is like 2026-10. */
export async function readStatement(accountId: string, month: string, format: StatementFormat): Promise<Blob> {
  try {
    const params = { path: { account_id: accountId }, query: { month, format } }
    const answer = await api.GET('/api/v2/accounts/{account_id}/statement', { params, parseAs: 'blob' })
    if (answer.data === undefined) throw failureFromResponse(answer.response, answer.error)
    return answer.data as Blob
  } catch (cause) {
    throw failureFromException(cause)
  }
}

export async function listCards(): Promise<Card[]> {
  return (await unwrap(api.GET('/api/v2/cards'))).items
}

export function freezeCard(cardId: string): Promise<Card> {
  return unwrap(api.POST('/api/v2/cards/{card_id}/freeze', { params: { path: { card_id: cardId } } }))
}

export function unfreezeCard(cardId: string): Promise<Card> {
  return unwrap(api.POST('/api/v2/cards/{card_id}/unfreeze', { params: { path: { card_id: cardId } } }))
}

export async function listPayees(): Promise<Payee[]> {
  return (await unwrap(api.GET('/api/v2/payees'))).items
}

export function addPayee(payee: PayeeRequest): Promise<Payee> {
  return unwrap(api.POST('/api/v2/payees', { body: payee }))
}

export async function removePayee(payeeId: string): Promise<void> {
  await unwrap(api.DELETE('/api/v2/payees/{payee_id}', { params: { path: { payee_id: payeeId } } }))
}

/** The caller's operations, newest first. */
export function listOperations(cursor: string | null): Promise<OperationPage> {
  return unwrap(api.GET('/api/v2/operations', { params: { query: { limit: 20, cursor: cursor ?? undefined } } }))
}

/** An operation as the bank has it now. */
export function readOperation(operationId: string): Promise<Operation> {
  const params = { path: { operation_id: operationId } }
  const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS)
  return unwrap(api.GET('/api/v2/operations/{operation_id}', { params, signal }))
}

/** A challenge for one operation; null where it needs no proof. */
export async function beginOperationStepUp(operationId: string): Promise<Challenge | null> {
  const params = { path: { operation_id: operationId } }
  return (await unwrap(api.POST('/api/v2/operations/{operation_id}/step-up', { params }))).challenge
}

/** Confirm an operation. A failure that `isLost` may hide a success: ask `readOperation` then. */
export function confirmOperation(operationId: string, stepUp: StepUpAnswer | null): Promise<Operation> {
  return decide(operationId, { approve: true, step_up: stepUp })
}

export function callOffOperation(operationId: string): Promise<Operation> {
  return decide(operationId, { approve: false })
}

function decide(pendingId: string, body: { approve: boolean; step_up?: StepUpAnswer | null }): Promise<Operation> {
  const params = { path: { pending_id: pendingId } }
  const signal = AbortSignal.timeout(DECISION_TIMEOUT_MS)
  return unwrap(api.POST('/api/v2/chat/confirmations/{pending_id}', { params, body, signal }))
}
