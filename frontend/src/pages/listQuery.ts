import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { SearchQuery } from '@/api/client'

export const PAGE_SIZE = 24
export const SORTS = ['relevance', 'newest', 'price_asc', 'price_desc'] as const
export type Sort = (typeof SORTS)[number]

export interface ListState {
  q: string
  cat: number[]
  min: number | undefined
  max: number | undefined
  stock: boolean
  sort: Sort
  /** From 1, as people count. */
  page: number
}

/** The address is the state: it can be sent, gone back to and reloaded. Nonsense in it is left out. */
export function readList(query: LocationQuery): ListState {
  const first = (name: string) => {
    const value = query[name]
    return (Array.isArray(value) ? value[0] : value) ?? ''
  }
  const whole = (text: string, least: number, most: number) => {
    const value = Number(text)
    return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined
  }
  const cats = [query['cat']].flat().map((value) => whole(value ?? '', 1, Number.MAX_SAFE_INTEGER))
  const sort = first('sort')
  return {
    q: first('q').slice(0, 200),
    cat: [...new Set(cats.filter((id): id is number => id !== undefined))].slice(0, 50),
    min: whole(first('min'), 0, 10 ** 11),
    max: whole(first('max'), 0, 10 ** 11),
    stock: first('stock') === '1',
    sort: SORTS.find((known) => known === sort) ?? 'relevance',
    page: whole(first('page'), 1, 1001) ?? 1,
  }
}

export function writeList(state: ListState): LocationQueryRaw {
  const query: LocationQueryRaw = {}
  if (state.q) query['q'] = state.q
  if (state.cat.length) query['cat'] = state.cat.map(String)
  if (state.min !== undefined) query['min'] = String(state.min)
  if (state.max !== undefined) query['max'] = String(state.max)
  if (state.stock) query['stock'] = '1'
  if (state.sort !== 'relevance') query['sort'] = state.sort
  if (state.page > 1) query['page'] = String(state.page)
  return query
}

export function toSearch(state: ListState): SearchQuery {
  return {
    q: state.q,
    categoryId: state.cat,
    minPrice: state.min,
    maxPrice: state.max,
    inStock: state.stock || undefined,
    sort: state.sort,
    page: state.page - 1,
    size: PAGE_SIZE,
  }
}

export function isFiltered(state: ListState): boolean {
  return state.cat.length > 0 || state.min !== undefined || state.max !== undefined || state.stock
}
