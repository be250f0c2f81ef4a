import { api, type Order } from '@/api/client'

import type { useCart } from './cart'

/** The items of an order that came to nothing, back into the cart at today's price and stock. */
export async function backToCart(order: Order, cart: ReturnType<typeof useCart>): Promise<void> {
  for (const item of order.items) {
    try {
      const { id, name, names, price, stock, imageUrl } = await api.product(item.productId)
      cart.add({ productId: id, name, names, price, stock, imageUrl: imageUrl ?? null, quantity: item.quantity })
    } catch {
      // No longer sold, or not reachable: the cart page shows what came back.
    }
  }
}
