import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { readStored, writeStored } from './prefs'

/** A line keeps what the person saw when adding it, so that a change can be told. */
export interface CartLine {
  productId: number
  quantity: number
  name: string
  names: { en?: string | null | undefined; zh?: string | null | undefined }
  price: number
  stock: number
  imageUrl: string | null
}

export const MAX_QUANTITY = 99
export const MAX_LINES = 50
const KEY = 'kessai.cart'

/** What lies in storage may be of another version, another tab or another hand. */
export function readCart(text: string | null): CartLine[] {
  let value: unknown
  try {
    value = JSON.parse(text ?? '[]')
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  const seen = new Set<number>()
  return value.filter(isLine).filter((line) => !seen.has(line.productId) && seen.add(line.productId)).slice(0, MAX_LINES)
}

function isLine(value: unknown): value is CartLine {
  const line = value as CartLine | null
  return (
    typeof line === 'object' &&
    line !== null &&
    Number.isSafeInteger(line.productId) &&
    line.productId > 0 &&
    Number.isInteger(line.quantity) &&
    line.quantity >= 1 &&
    line.quantity <= MAX_QUANTITY &&
    Number.isInteger(line.price) &&
    line.price >= 0 &&
    Number.isInteger(line.stock) &&
    typeof line.name === 'string' &&
    typeof line.names === 'object' &&
    line.names !== null
  )
}

export const useCart = defineStore('cart', () => {
  const lines = ref(readCart(readStored(KEY)))
  const isOpen = ref(false)

  const count = computed(() => lines.value.reduce((sum, line) => sum + line.quantity, 0))
  const amount = computed(() => lines.value.reduce((sum, line) => sum + line.quantity * line.price, 0))

  function put(next: CartLine[]): void {
    lines.value = next
    writeStored(KEY, JSON.stringify(next))
  }

  function find(productId: number): CartLine | undefined {
    return lines.value.find((line) => line.productId === productId)
  }

  /** As many as the shelf has, 99 at most; answers how many were added. */
  function add(line: CartLine): number {
    const known = find(line.productId)
    const limit = Math.min(MAX_QUANTITY, Math.max(line.stock, 0))
    const quantity = Math.min(limit, (known?.quantity ?? 0) + line.quantity)
    const added = quantity - (known?.quantity ?? 0)
    if (added <= 0 || (!known && lines.value.length >= MAX_LINES)) return 0
    const fresh = { ...line, quantity }
    put(known ? lines.value.map((other) => (other === known ? fresh : other)) : [...lines.value, fresh])
    return added
  }

  function setQuantity(productId: number, quantity: number): void {
    const limit = Math.min(MAX_QUANTITY, quantity)
    put(lines.value.map((line) => (line.productId === productId ? { ...line, quantity: Math.max(1, limit) } : line)))
  }

  /** Takes a line out and answers how to put it back where it was. */
  function remove(productId: number): () => void {
    const position = lines.value.findIndex((line) => line.productId === productId)
    const line = lines.value[position]
    if (!line) return () => undefined
    put(lines.value.filter((other) => other !== line))
    return () => {
      if (find(productId)) return
      const next = [...lines.value]
      next.splice(position, 0, line)
      put(next)
    }
  }

  function replace(next: CartLine[]): void {
    put(next)
  }

  function clear(): void {
    put([])
  }

  // Another tab changed the cart.
  addEventListener('storage', (event) => {
    if (event.key === KEY) lines.value = readCart(event.newValue)
  })

  return { lines, isOpen, count, amount, find, add, setQuantity, remove, replace, clear }
})
