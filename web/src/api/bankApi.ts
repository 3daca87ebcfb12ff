import createClient from 'openapi-fetch'
import { bankSession } from '../identity/session'
import type { paths } from './schema'

/** The bank, as the person who is signed in. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: (request) => bankSession.send(request),
})
