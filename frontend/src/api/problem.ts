/** What a request ended with when it gave no answer of its kind. */
export interface Problem {
  status: number
  code: string
  correlationId?: string | undefined
  retryAfterS?: number | undefined
  /** Fields of the code, as http-api.md lists them. */
  facts: Record<string, unknown>
}

/** `NETWORK` has status 0: nobody knows whether the request took effect. */
export class ApiError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.code)
    this.name = 'ApiError'
    this.problem = problem
  }
  get code(): string {
    return this.problem.code
  }
  get status(): number {
    return this.problem.status
  }
}

export function networkError(): ApiError {
  return new ApiError({ status: 0, code: 'NETWORK', facts: {} })
}

/** Reads a problem of any shape; a proxy's page of HTML is one too. */
export function problemOf(response: Response, body: unknown): ApiError {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const retryAfter = Number(response.headers.get('retry-after'))
  const correlation = fields['correlationId'] ?? response.headers.get('x-correlation-id')
  return new ApiError({
    status: response.status,
    code: typeof fields['code'] === 'string' ? fields['code'] : `HTTP_${response.status}`,
    correlationId: typeof correlation === 'string' ? correlation : undefined,
    retryAfterS: retryAfter > 0 ? retryAfter : undefined,
    facts: fields,
  })
}

export function codeOf(error: unknown): string {
  return error instanceof ApiError ? error.code : 'UNKNOWN'
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof ApiError && codes.includes(error.code)
}

export function isSessionGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401
}
