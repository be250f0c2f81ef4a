import { language } from './index'

interface Names {
  en?: string | null | undefined
  zh?: string | null | undefined
}

/** A name in the page's language, else Japanese; `lang` tells which, so that signs look right. */
export function named(name: string, names: Names | null | undefined): { text: string; lang: string | undefined } {
  const own = language.value === 'ja' ? null : names?.[language.value]
  if (own) return { text: own, lang: undefined }
  return { text: name, lang: language.value === 'ja' ? undefined : 'ja' }
}
