import { useQueries } from '@tanstack/vue-query'
import { computed } from 'vue'

import { language } from '@/i18n'
import { named } from '@/i18n/names'

import { api } from './client'
import { keys, mayRetry } from './queries'

interface Item {
  productId: number
  title: string
}

/** An order keeps the Japanese name of its day; in other languages the shelf is asked for theirs. */
export function useItemNames(items: () => readonly Item[]) {
  const products = useQueries({
    queries: computed(() =>
      language.value === 'ja'
        ? []
        : [...new Set(items().map((item) => item.productId))].map((id) => ({
            queryKey: keys.product(String(id)),
            queryFn: () => api.product(id),
            staleTime: 300_000,
            retry: mayRetry,
          })),
    ),
  })
  const names = computed(() => new Map(products.value.flatMap(({ data }) => (data ? [[data.id, data.names] as const] : []))))
  return ({ productId, title }: Item) => named(title, names.value.get(productId))
}
