export type FailureKind = 'network' | 'denied' | 'gone' | 'invalid' | 'limited' | 'unavailable' | 'server'

export class ApiFailure extends Error {
  readonly kind: FailureKind
  readonly requestId: string | null

  constructor(kind: FailureKind, message: string, requestId: string | null) {
    super(message)
    this.name = 'ApiFailure'
    this.kind = kind
    this.requestId = requestId
  }
}

interface ErrorBody {
  error?: { message?: unknown }
  metadata?: { request_id?: unknown }
}

export function failureFromResponse(response: Response, body: unknown): ApiFailure {
  const { error, metadata } = isObject(body) ? (body as ErrorBody) : {}
  const message = typeof error?.message === 'string' ? error.message : `The server answered ${response.status}.`
  const requestId =
    typeof metadata?.request_id === 'string' ? metadata.request_id : response.headers.get('x-request-id')
  return new ApiFailure(kindOf(response.status), message, requestId)
}

export function failureFromException(cause: unknown): ApiFailure {
  return cause instanceof ApiFailure ? cause : new ApiFailure('network', 'The server could not be reached.', null)
}

function kindOf(status: number): FailureKind {
  switch (status) {
    case 401:
    case 403:
      return 'denied'
    case 404:
      return 'gone'
    case 400:
    case 413:
    case 422:
      return 'invalid'
    case 429:
      return 'limited'
    case 502:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return 'server'
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
