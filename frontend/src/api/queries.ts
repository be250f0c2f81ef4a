import { QueryClient } from '@tanstack/vue-query'

import { ApiError } from './problem'

/** Again only where asking again can help: no answer, or a server that says "later". */
export function mayRetry(failures: number, error: unknown): boolean {
  const status = error instanceof ApiError ? error.status : 0
  return failures < 2 && (status === 0 || status >= 500 || status === 429)
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: mayRetry,
      retryDelay: (failures, error) =>
        error instanceof ApiError && error.problem.retryAfterS
          ? Math.min(error.problem.retryAfterS, 10) * 1000
          : 400 * 2 ** failures,
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      networkMode: 'always',
    },
  },
})

const CATALOGUE = ['catalogue'] as const
export const keys = {
  categories: [...CATALOGUE, 'categories'] as const,
  search: (query: unknown) => [...CATALOGUE, 'search', query] as const,
  shelf: (categoryId: number | undefined) => [...CATALOGUE, 'shelf', categoryId] as const,
  product: (id: string) => [...CATALOGUE, 'product', id] as const,
  orders: (status: string) => ['orders', status] as const,
  account: ['account'] as const,
}
