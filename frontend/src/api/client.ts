import createClient from 'openapi-fetch'

import { ApiError, isSessionGone, networkError, problemOf } from './problem'
import type { components, paths } from './schema'

type Schemas = components['schemas']
export type Order = Schemas['OrderAnswer']
export type OrderItem = Schemas['ItemAnswer']
export type OrderSummary = Schemas['SummaryAnswer']
export type TimelineEntry = Schemas['TimelineAnswer']
export type Product = Schemas['ProductAnswer']
export type FoundProduct = Schemas['FoundProduct']
export type SearchAnswer = Schemas['SearchAnswer']
export type SuggestAnswer = Schemas['SuggestAnswer']
export type Category = Schemas['CategoryAnswer']
export type Purchased = Schemas['PurchaseAnswer']
export type Account = Schemas['AccountAnswer']
export type Config = Schemas['ConfigAnswer']
export type ShopStatus = Schemas['StatusAnswer']

const TIMEOUT_MS = 20_000

/** Every request ends: a socket that hangs is a network error too. */
async function timedFetch(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]) })
  } catch (error) {
    if (request.signal.aborted) throw error
    throw networkError()
  }
}

export const client = createClient<paths>({
  baseUrl: typeof location === 'undefined' ? 'http://127.0.0.1' : location.origin,
  credentials: 'same-origin',
  querySerializer: { array: { style: 'form', explode: true } },
  fetch: timedFetch,
})

interface Outcome<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Asks again once when the session had ended and can be made anew without the person. */
let renew: () => Promise<boolean> = async () => false

export function renewSessionBy(how: () => Promise<boolean>): void {
  renew = how
}

async function call<T>(send: () => Promise<Outcome<T>>): Promise<T> {
  const first = await read(await send())
  if (first.ok) return first.value
  if (isSessionGone(first.error) && (await renew())) {
    const second = await read(await send())
    if (second.ok) return second.value
    throw second.error
  }
  throw first.error
}

type Result<T> = { ok: true; value: T } | { ok: false; error: ApiError }

async function read<T>(outcome: Outcome<T>): Promise<Result<T>> {
  if (outcome.response.ok && outcome.data !== undefined) return { ok: true, value: outcome.data }
  return { ok: false, error: problemOf(outcome.response, outcome.error) }
}

const order = (orderId: string) => ({ params: { path: { order_id: orderId } } })

export interface SearchQuery {
  q: string
  categoryId: number[]
  minPrice?: number | undefined
  maxPrice?: number | undefined
  inStock?: boolean | undefined
  sort: 'relevance' | 'newest' | 'price_asc' | 'price_desc'
  page: number
  size: number
}

export type PurchaseBody = Schemas['PurchaseBody']
export type ProfileBody = Schemas['ProfileBody']

export const api = {
  config: () => call(() => client.GET('/api/config')),
  status: () => call(() => client.GET('/api/auth/status')),
  signIn: (idToken: string) => call(() => client.POST('/api/auth/session', { body: { idToken } })),
  signOut: () => call(() => client.POST('/api/auth/logout')),
  account: () => call(() => client.GET('/api/account')),
  saveProfile: (body: ProfileBody) => call(() => client.POST('/api/auth/personal-information', { body })),

  categories: () => call(() => client.GET('/api/categories')),
  search: (query: SearchQuery, signal?: AbortSignal) =>
    call(() => client.GET('/api/products/search', { params: { query: compact(query) }, ...(signal && { signal }) })),
  shelf: (categoryId: number | undefined, cursor: string | undefined) =>
    call(async () => {
      const { data, error, response } = await client.GET('/api/products', { params: { query: compact({ categoryId, cursor, limit: 24 }) } })
      return { response, ...(data ? { data: shelfPage(data, response) } : { error }) }
    }),
  suggest: (q: string, size: number, signal: AbortSignal) =>
    call(() => client.GET('/api/products/suggest', { params: { query: { q, size } }, signal })),
  product: (id: number | string) =>
    call(() => client.GET('/api/products/{product_id}', { params: { path: { product_id: String(id) } } })),

  purchase: (body: PurchaseBody, key: string) =>
    call(() => client.POST('/api/orders/purchase', { body, params: { header: { 'idempotency-key': key } } })),
  orders: (status: Schemas['OrderStatus'] | undefined, cursor: string | undefined, limit: number) =>
    call(() => client.GET('/api/orders', { params: { query: compact({ status, cursor, limit }) } })),
  order: (id: string) => call(() => client.GET('/api/orders/{order_id}', order(id))),
  newPayment: (id: string, method: 'PAYPAY' | 'BALANCE' = 'PAYPAY') =>
    call(() => client.POST('/api/orders/{order_id}/payment', { ...order(id), body: { method } })),
  check: (id: string) => call(() => client.POST('/api/orders/{order_id}/check', order(id))),
  cancel: (id: string) => call(() => client.POST('/api/orders/{order_id}/cancel', order(id))),
  refund: (id: string, reason: string) =>
    call(() => client.POST('/api/orders/{order_id}/refund', { ...order(id), body: { reason } })),
}

/** A page of the catalogue itself, which is there without the search. */
export interface ShelfPage {
  items: FoundProduct[]
  next: string | undefined
}

function shelfPage(products: Schemas['ProductAnswer'][], response: Response): ShelfPage {
  const items = products.map(({ id, name, names, price, stock, categoryId, imageUrl }) => ({
    productId: id, title: name, titles: names, price, stock, categoryId, thumbnailUrl: imageUrl, createdAt: '',
  }))
  return { items, next: nextCursor(response.headers.get('link')) }
}

/** From `</api/products?cursor=...>; rel="next"`. */
export function nextCursor(link: string | null): string | undefined {
  const query = /^<[^>?]*\?([^>]*)>; rel="next"$/.exec(link ?? '')?.[1]
  return new URLSearchParams(query).get('cursor') ?? undefined
}

type Compact<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/**
 * Without what says nothing. The first list's address must be the very one that the door's Link
 * header preloads (bff/web/pages.py), or it is read twice.
 */
function compact<T extends object>(query: T): Compact<T> {
  const says = (value: unknown) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)
  return Object.fromEntries(Object.entries(query).filter(([, value]) => says(value))) as Compact<T>
}
