import { defineStore } from 'pinia'
import { reactive, ref, watch } from 'vue'

import type { ContactInput } from '@/pages/contact'

const KEY = 'kessai.checkout'

interface Attempt {
  key: string
  of: string
}

/** What was typed survives a reload and a sign-in, in this tab only. */
export const useCheckout = defineStore('checkout', () => {
  const stored = read()
  const contact = reactive<ContactInput>({ name: '', email: '', postal: '', phone: '', address: '', ...stored.contact })
  const method = ref<'PAYPAY' | 'BALANCE'>(stored.method === 'BALANCE' ? 'BALANCE' : 'PAYPAY')
  const lastOrderId = ref<string | null>(stored.lastOrderId ?? null)
  let attempt: Attempt | null = stored.attempt ?? null

  function save(): void {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ contact, method: method.value, lastOrderId: lastOrderId.value, attempt }))
    } catch {
      // Then it lasts as long as the page.
    }
  }
  watch([contact, method, lastOrderId], save)

  /**
   * One key for one purchase: pressing twice, a lost answer or a reload in between lead to the same
   * order. A new key comes with another content, or after an answer that ended the attempt.
   */
  function keyFor(content: string): string {
    if (attempt?.of !== content) {
      attempt = { key: crypto.randomUUID?.() ?? randomKey(), of: content }
      save()
    }
    return attempt.key
  }

  function ended(): void {
    attempt = null
    save()
  }

  return { contact, method, lastOrderId, keyFor, ended }
})

/** `randomUUID` is there on secure pages only; a shop in a home network may be plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

interface Stored {
  contact?: Partial<ContactInput>
  method?: string
  lastOrderId?: string | null
  attempt?: Attempt | null
}

function read(): Stored {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '{}')
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
