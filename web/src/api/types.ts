import type { components } from './schema'

type Schemas = components['schemas']

export type ChatRequest = Schemas['ChatRequest']
export type ChatReply = Schemas['ChatData']
export type Citation = Schemas['CitationBody']
export type Customer = Schemas['DemoCustomerBody']
export type Intent = Schemas['IntentBody']
export type Session = Schemas['SessionBody']
export type SessionPage = Schemas['Page_SessionBody_']
export type StoredMessage = Schemas['MessageBody']

export type Account = Schemas['AccountBody']
export type Card = Schemas['CardBody']
export type DeskItem = Schemas['DeskItem']
export type DeskConversation = Schemas['DeskConversation']
/** A person of the bank who answers instead of the assistant: called, or there. */
export type Handoff = Schemas['HandoffBody']
export type Money = Schemas['MoneyBody']
export type Operation = Schemas['OperationBody']
export type OperationPage = Schemas['OperationPage']
export type Payee = Schemas['PayeeBody']
export type PayeeKind = Schemas['PayeeKind']
export type StatementFormat = Schemas['StatementFormat']
export type TransactionPage = Schemas['Page_TransactionBody_']
export type Transaction = Schemas['TransactionBody']

/** Somebody to pay: at this bank by the reference of their account, elsewhere by account number. */
export type PayeeRequest = { kind: PayeeKind; name: string } & (
  | { account_reference: string; account_number?: undefined }
  | { account_number: string; account_reference?: undefined }
)

/** What waits for its owner's approval; `summary` is the text that was frozen. One factor of `requires` is proved. */
export interface Pending {
  id: string
  summary: string
  expires_at: string
  requires: string[]
}

export type User = Schemas['UserBody']
export type Access = Schemas['AccessBody']
export type Challenge = Schemas['ChallengeBody']
export type StepUpAnswer = { challenge_id: string } & Proof
export type Factors = Schemas['StatusBody']
export type FactorAction = Schemas['Action']
export type Passkey = Schemas['PasskeyBody']
export type PasskeyOptions = Schemas['PasskeyOptionsBody']
export type TotpEnrolment = Schemas['TotpBody']

/** A sign-in that lasts, on this device or another. */
export type OwnSession = Schemas['OwnSessionBody']

export type SignedIn = Schemas['SignedInBody']

/** The second step of a sign-in: a ticket that says whose, and what it may be answered with. */
export type SecondStep = Schemas['SecondFactorNeededBody']

/** What proves a second factor: the app's code, or what the passkey gave. */
export type Proof =
  | { code: string; credential?: undefined }
  | { credential: Record<string, unknown>; code?: undefined }
