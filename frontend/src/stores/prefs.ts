import { defineStore } from 'pinia'
import { ref } from 'vue'

import { initialLanguage, useLanguage, type Language } from '@/i18n'

export type Theme = 'system' | 'light' | 'dark'

/** Storage may be forbidden or full; then a choice lasts as long as the page. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

export function writeStored(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // See above.
  }
}

export const usePrefs = defineStore('prefs', () => {
  const stored = readStored('kessai.theme')
  const theme = ref<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system')

  function setTheme(wanted: Theme): void {
    theme.value = wanted
    writeStored('kessai.theme', wanted === 'system' ? null : wanted)
    if (wanted === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = wanted
  }

  async function setLanguage(wanted: Language): Promise<void> {
    await useLanguage(wanted)
    writeStored('kessai.language', wanted)
  }

  return { theme, setTheme, setLanguage, begin: () => useLanguage(initialLanguage()) }
})
