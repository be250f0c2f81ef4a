import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Toast {
  id: number
  text: string
  action?: { label: string; run: () => void } | undefined
}

const SHOWN_MS = 6_000

export const useToasts = defineStore('toasts', () => {
  const toasts = ref<Toast[]>([])
  const timers = new Map<number, ReturnType<typeof setTimeout>>()
  let last = 0

  function show(text: string, action?: Toast['action']): void {
    const id = ++last
    // Three at most: the oldest goes.
    toasts.value = [...toasts.value.slice(-2), { id, text, action }]
    resume(id)
  }

  function close(id: number): void {
    pause(id)
    toasts.value = toasts.value.filter((toast) => toast.id !== id)
  }

  /** A message that is being read or reached for does not go away. */
  function pause(id: number): void {
    clearTimeout(timers.get(id))
    timers.delete(id)
  }

  function resume(id: number): void {
    pause(id)
    timers.set(id, setTimeout(() => close(id), SHOWN_MS))
  }

  return { toasts, show, close, pause, resume }
})
