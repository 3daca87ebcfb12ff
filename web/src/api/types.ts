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
