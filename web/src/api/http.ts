import { noteServerTime } from '../lib/serverClock'
import { failureFromException, failureFromResponse } from './failure'

export interface Answer<T> {
  data?: { data: T; metadata: { timestamp: string } }
  error?: unknown
  response: Response
}

/** Sends a request with the header that a page of another site cannot add without the server's consent. */
export function sendPlain(request: Request): Promise<Response> {
  request.headers.set('X-Requested-With', 'llm-banking')
  return fetch(request)
}

/** The data of an answer. Throws ApiFailure for everything else. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  try {
    const { data, error, response } = await call
    if (data === undefined) throw failureFromResponse(response, error)
    noteServerTime(data.metadata.timestamp)
    return data.data
  } catch (cause) {
    throw failureFromException(cause)
  }
}
