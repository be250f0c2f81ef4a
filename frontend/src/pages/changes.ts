import type { Product } from '@/api/client'
import type { CartLine } from '@/stores/cart'

/** What differs between a line as it was put into the cart and the shelf of now. */
export type Change =
  | { kind: 'price'; productId: number; from: number; to: number }
  | { kind: 'stock'; productId: number; from: number; to: number }
  | { kind: 'gone'; productId: number }

/** `null` = no longer sold. A product that could not be asked is not in `now`. */
export type Shelves = ReadonlyMap<number, Product | null>

export function changesOf(lines: readonly CartLine[], now: Shelves): Change[] {
  return lines.flatMap((line): Change[] => {
    const product = now.get(line.productId)
    if (product === undefined) return []
    if (product === null || product.stock <= 0) return [{ kind: 'gone', productId: line.productId }]
    const found: Change[] = []
    if (product.price !== line.price) found.push({ kind: 'price', productId: line.productId, from: line.price, to: product.price })
    if (product.stock < line.quantity) found.push({ kind: 'stock', productId: line.productId, from: line.quantity, to: product.stock })
    return found
  })
}

/** The cart after the person accepted what changed. */
export function accepted(lines: readonly CartLine[], now: Shelves): CartLine[] {
  return lines.flatMap((line) => {
    const product = now.get(line.productId)
    if (product === undefined) return [line]
    if (product === null || product.stock <= 0) return []
    const { price, stock, name, names } = product
    return [{ ...line, name, names, price, stock, quantity: Math.min(line.quantity, stock) }]
  })
}
