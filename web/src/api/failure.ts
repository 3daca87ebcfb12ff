export type FailureKind =
  | 'network'
  | 'signed-out'
  | 'denied'
  | 'gone'
  | 'invalid'
  | 'limited'
  | 'unavailable'
  | 'server'

export interface FieldProblem {
  field: string
  problem: string
}

export class ApiFailure extends Error {
  readonly kind: FailureKind
  readonly requestId: string | null
  /** The server's error code; null where no answer of it came. */
  readonly code: string | null
  /** Which fields of the request the server refused. */
  readonly fields: FieldProblem[]
  /** Why a step-up was refused. */
  readonly reason: string | null
  /** The operation that waits for a second factor in place of what was asked. */
  readonly operationId: string | null

  constructor(kind: FailureKind, message: string, requestId: string | null, error: ErrorBody['error'] = {}) {
    super(message)
    this.name = 'ApiFailure'
    this.kind = kind
    this.requestId = requestId
    this.code = typeof error.code === 'string' ? error.code : null
    const { fields, reason, operation_id } = isObject(error.details) ? (error.details as Details) : {}
    this.fields = Array.isArray(fields) ? fields.filter(isFieldProblem) : []
    this.reason = typeof reason === 'string' ? reason : null
    this.operationId = typeof operation_id === 'string' ? operation_id : null
  }

  /** Whether the server wants a sign-in of late before it does what was asked. */
  get wantsSignIn(): boolean {
    return this.code === 'STEP_UP_REQUIRED' && this.reason === 'sign_in_again'
  }
}

/** Whether a request may have been carried out although it failed: no answer came, or the server was in trouble. */
export function isLost({ kind }: ApiFailure): boolean {
  return kind === 'network' || kind === 'unavailable' || kind === 'server'
}

interface ErrorBody {
  error?: { message?: unknown; code?: unknown; details?: unknown }
  metadata?: { request_id?: unknown }
}

interface Details {
  fields?: unknown
  reason?: unknown
  operation_id?: unknown
}

export function failureFromResponse(response: Response, body: unknown): ApiFailure {
  const { error, metadata } = isObject(body) ? (body as ErrorBody) : {}
  const message = typeof error?.message === 'string' ? error.message : `The server answered ${response.status}.`
  const requestId =
    typeof metadata?.request_id === 'string' ? metadata.request_id : response.headers.get('x-request-id')
  return new ApiFailure(kindOf(response.status), message, requestId, error)
}

export function failureFromException(cause: unknown): ApiFailure {
  return cause instanceof ApiFailure ? cause : new ApiFailure('network', 'The server could not be reached.', null)
}

function kindOf(status: number): FailureKind {
  switch (status) {
    case 401:
      return 'signed-out'
    case 403:
      return 'denied'
    case 404:
      return 'gone'
    case 400:
    case 409:
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

function isFieldProblem(value: unknown): value is FieldProblem {
  return isObject(value) && typeof (value as FieldProblem).field === 'string' && 'problem' in value
}
