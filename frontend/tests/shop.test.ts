import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import { nextCursor } from '@/api/client'
import { problemOf } from '@/api/problem'
import { mayRetry } from '@/api/queries'
import { ServerClock } from '@/live/clock'
import { drawQr } from '@/live/qr'
import { pollEveryMs } from '@/live/useOrder'
import { accepted, changesOf } from '@/pages/changes'
import { checkContact, plainDigits } from '@/pages/contact'
import { isFiltered, readList, toSearch, writeList } from '@/pages/listQuery'
import { moveActive, pieces } from '@/parts/combobox'
import { lookOf, shelf } from '@/parts/states'
import { safeNext } from '@/router'
import { readCart, useCart, type CartLine } from '@/stores/cart'

import { order } from './order'

const line = (fields: Partial<CartLine> = {}): CartLine => ({ productId: 1, quantity: 1, name: '急須', names: {}, price: 8_800, stock: 5, imageUrl: null, ...fields })
const product = (id: number, price: number, stock: number) => ({ id, categoryId: 1, name: '急須', names: {}, description: '', imageUrl: null, price, stock })

describe('the cart', () => {
  beforeEach(() => {
    localStorage.clear()
    setActivePinia(createPinia())
  })

  it('adds up to what the shelf has and keeps it over a reload', () => {
    const cart = useCart()
    expect([cart.add(line({ quantity: 3 })), cart.add(line({ quantity: 3 })), cart.add(line())]).toEqual([3, 2, 0])
    expect([cart.count, cart.amount]).toEqual([5, 44_000])
    setActivePinia(createPinia())
    expect(useCart().count).toBe(5)
  })

  it('puts a line back where it was', () => {
    const cart = useCart()
    for (const productId of [1, 2, 3]) cart.add(line({ productId }))
    const undo = cart.remove(2)
    expect(cart.lines.map((one) => one.productId)).toEqual([1, 3])
    undo()
    undo()
    expect(cart.lines.map((one) => one.productId)).toEqual([1, 2, 3])
  })

  it('does not believe what lies in storage', () => {
    for (const text of [null, '', '{', '{}', '"x"', '[null, 7, {}]', JSON.stringify([line({ quantity: 0 }), line({ quantity: 1.5 }), line({ quantity: 100 }), line({ productId: -1 })])]) expect(readCart(text)).toEqual([])
    expect(readCart(JSON.stringify([line(), line({ price: 1 })]))).toEqual([line()])
  })
})

describe('what changed since the cart was filled', () => {
  const lines = [line({ productId: 1, price: 13_200 }), line({ productId: 2, quantity: 2 }), line({ productId: 3 }), line({ productId: 4 }), line({ productId: 5 })]
  const now = new Map([[1, product(1, 13_800, 9)], [2, product(2, 8_800, 1)], [3, null], [4, product(4, 8_800, 0)]])

  it('is told line by line; what could not be asked is not guessed', () => {
    expect(changesOf(lines, now)).toEqual([
      { kind: 'price', productId: 1, from: 13_200, to: 13_800 },
      { kind: 'stock', productId: 2, from: 2, to: 1 },
      { kind: 'gone', productId: 3 },
      { kind: 'gone', productId: 4 },
    ])
  })
  it('leaves nothing to tell once accepted', () => {
    const next = accepted(lines, now)
    expect(next.map(({ productId, quantity, price }) => [productId, quantity, price])).toEqual([[1, 1, 13_800], [2, 1, 8_800], [5, 1, 8_800]])
    expect(changesOf(next, now)).toEqual([])
  })
})

describe('the contact form', () => {
  const good = { name: ' 山田 花子 ', email: 'hanako@example.com', postal: '１５０－０００１', phone: '090-1234-5678', address: '東京都渋谷区神宮前 1-2-3' }
  it('takes numbers as people write them', () => {
    expect(checkContact(good)).toEqual({ wrong: [], value: { ...good, name: '山田 花子', postal: '1500001', phone: '09012345678' } })
    expect(plainDigits('〒150ー0001')).toBe('〒1500001')
  })
  it('names each wrong field, in the order of the form', () => {
    expect(checkContact({ name: ' ', email: 'hanako@', postal: '150-00', phone: '1234567890', address: '' }).wrong).toEqual(['name', 'email', 'postal', 'phone', 'address'])
    expect(checkContact({ ...good, name: 'x'.repeat(101), address: 'a\nb' }).wrong).toEqual(['name', 'address'])
  })
})

describe('the address of a list', () => {
  it('is its whole state, there and back', () => {
    const state = readList({ q: '急須', cat: ['3', '1', '3'], min: '100', max: '9000', stock: '1', sort: 'price_asc', page: '2' })
    expect(readList(writeList(state) as never)).toEqual(state)
    expect(toSearch(state)).toMatchObject({ categoryId: [3, 1], minPrice: 100, inStock: true, page: 1 })
  })
  it('leaves nonsense out', () => {
    const state = readList({ cat: ['x', '-1', null], min: '1e3', max: '-5', sort: 'DROP TABLE', page: '0', stock: 'yes' })
    expect(writeList(state)).toEqual({})
    expect(isFiltered(state)).toBe(false)
  })
})

describe('the combobox', () => {
  it('marks what was typed, in any width and case', () => {
    expect(pieces('常滑焼の急須 280ML', '急須')).toEqual([{ text: '常滑焼の', isMatch: false }, { text: '急須', isMatch: true }, { text: ' 280ML', isMatch: false }])
    expect(pieces('Ａ5ノート', 'a5')[0]).toEqual({ text: 'Ａ5', isMatch: true })
    expect(pieces('急須', '')).toEqual([{ text: '急須', isMatch: false }])
    expect(pieces('急須', 'zzz')).toEqual([{ text: '急須', isMatch: false }])
  })
  it('goes round through the input itself', () => {
    expect([moveActive(-1, 3, 'ArrowDown'), moveActive(2, 3, 'ArrowDown'), moveActive(-1, 3, 'ArrowUp'), moveActive(0, 3, 'ArrowUp'), moveActive(-1, 0, 'ArrowDown')]).toEqual([0, -1, 2, -1, -1])
  })
})

describe('the server\'s clock', () => {
  it('believes the shortest way, and nothing from before a sleep', () => {
    let [mono, wall] = [1_000, 9_000_000]
    const clock = new ServerClock(() => mono, () => wall)
    expect(clock.now()).toBe(9_000_000)
    mono = 1_100
    clock.sample('2026-11-22T01:46:15.000Z', 1_000)
    expect(clock.now()).toBe(Date.parse('2026-11-22T01:46:15.050Z'))
    // A device clock that is set does not matter; a longer way does not count.
    wall = 0
    mono = 2_100
    clock.sample('2026-11-22T01:47:00.000Z', 1_100)
    expect(clock.now()).toBe(Date.parse('2026-11-22T01:46:16.050Z'))
    clock.distrust()
    clock.sample('2026-11-22T02:00:00.000Z', 1_100)
    expect(clock.now()).toBe(Date.parse('2026-11-22T02:00:00.500Z'))
    clock.sample('no time', 0)
    expect(clock.now()).toBe(Date.parse('2026-11-22T02:00:00.500Z'))
  })
})

describe('small rules', () => {
  it('draws a code with its quiet zone, and none for what no code can hold', () => {
    const drawing = drawQr('https://qr.example/28180104abc')
    expect(drawing?.path.startsWith('M4 4h7v1h-7z')).toBe(true)
    expect(drawQr('x'.repeat(9_000))).toBeNull()
  })
  it('polls what can still change by itself', () => {
    expect([pollEveryMs(order()), pollEveryMs(order({ status: 'REFUNDING' })), pollEveryMs(order({ status: 'PAID' })), pollEveryMs(order({ status: 'FAILED' }))]).toEqual([3_000, 3_000, 3_000, null])
    const late = { amount: 1, reason: 'LATE_SUCCESS', at: '2026-11-22T01:46:15.000Z' }
    expect([pollEveryMs(order({ status: 'FAILED', refund: { ...late, status: 'ACCEPTED' } })), pollEveryMs(order({ status: 'FAILED', refund: { ...late, status: 'COMPLETED' } }))]).toEqual([3_000, null])
  })
  it('leads back into this shop only', () => {
    expect(['/checkout?x=1', '//evil.example', '/\\evil.example', 'https://evil.example', undefined, ['/a']].map(safeNext)).toEqual(['/checkout?x=1', '/', '/', '/', '/', '/'])
  })
  it('blames nobody for a cancelled order, and knows an unknown state', () => {
    expect([lookOf('order', 'FAILED', 'OUT_OF_STOCK')[0], lookOf('order', 'FAILED', 'CANCELLED')[0], lookOf('order', 'LATER')[0]]).toEqual(['enji', 'nezu', 'nezu'])
    expect([shelf(6), shelf(5), shelf(1), shelf(0), shelf(-1)]).toEqual(['in', 'few', 'few', 'none', 'none'])
  })
  it('reads a problem of any shape', () => {
    const answer = (status: number, headers: HeadersInit = {}) => new Response(null, { status, headers })
    expect(problemOf(answer(409), { code: 'PRICE_CHANGED', correlationId: 'c', amount: 7 }).problem).toMatchObject({ status: 409, code: 'PRICE_CHANGED', correlationId: 'c', facts: { amount: 7 } })
    expect(problemOf(answer(502, { 'retry-after': '7', 'x-correlation-id': 'd' }), '<html>').problem).toMatchObject({ code: 'HTTP_502', retryAfterS: 7, correlationId: 'd' })
  })
  it('asks again only where it can help', () => {
    const error = (status: number) => problemOf(new Response(null, { status: status || 500 }), { code: 'X' })
    expect([mayRetry(0, error(503)), mayRetry(0, error(429)), mayRetry(0, error(404)), mayRetry(2, error(503))]).toEqual([true, true, false, false])
  })
})

describe('the next page of the catalogue', () => {
  it('is named by the Link header', () => {
    expect(nextCursor('</api/products?categoryId=2&cursor=abc-_&limit=24>; rel="next"')).toBe('abc-_')
    expect(nextCursor('</api/products?limit=24>; rel="next"')).toBeUndefined()
    expect(nextCursor(null)).toBeUndefined()
  })
})
