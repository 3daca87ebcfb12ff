import type { Account, Card, Operation } from '../../api/types'

const KINDS: Record<Account['kind'], string> = {
  checking: 'Checking',
  savings: 'Savings',
  credit_card: 'Credit card',
  loan: 'Loan',
}
const ACCOUNT_STATUS: Record<Account['status'], string> = { open: '', frozen: ', frozen', closed: ', closed' }
const CARD_STATUS: Record<Card['status'], string> = {
  inactive: 'Not yet active',
  active: 'Active',
  frozen: 'Frozen',
  blocked: 'Blocked',
}
export const OPERATION_STATUS: Record<Operation['status'], string> = {
  pending: 'Waiting for your confirmation',
  executed: 'Done',
  scheduled: 'Scheduled',
  voided: 'Called off',
  expired: 'Expired',
  failed: 'Not done',
}

/** What an account is, with its status where that is not the usual one. */
export function kindOf({ kind, status }: Account): string {
  return KINDS[kind] + ACCOUNT_STATUS[status]
}

export function cardStatus({ status }: Card): string {
  return CARD_STATUS[status]
}
