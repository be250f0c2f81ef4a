import { ref, shallowReactive } from 'vue'

import ja from './ja.json'

// vue-i18n costs 31 KB of an entry that may have 95 (ux.md, 4.4); a shop needs names in braces, three
// languages and a fallback. Messages are plain text: nothing in them is markup or code.
interface Tree {
  [key: string]: string | Tree
}
export type Messages = typeof ja
export const LANGUAGES = ['ja', 'en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]
export const LANGUAGE_NAMES: Record<Language, string> = { ja: '日本語', en: 'English', zh: '中文' }

// Japanese is in the entry; the others are one small file each, and must have the same keys.
const loaders: Record<Exclude<Language, 'ja'>, () => Promise<{ default: Messages }>> = {
  en: () => import('./en.json'),
  zh: () => import('./zh.json'),
}
const messages = shallowReactive<Partial<Record<Language, Messages>>>({ ja })
export const language = ref<Language>('ja')

export type Values = Record<string, string | number>

function find(tree: Tree | undefined, key: string): string | undefined {
  let node: string | Tree | undefined = tree
  for (const part of key.split('.')) node = typeof node === 'object' && Object.hasOwn(node, part) ? node[part] : undefined
  return typeof node === 'string' ? node : undefined
}

/** The text of a key in the page's language, else in Japanese, else the key itself. */
export function t(key: string, values: Values = {}): string {
  const text = find(messages[language.value], key) ?? find(ja, key) ?? key
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** Whether a word of the server has a text here; codes of a later version have none. */
export function te(key: string): boolean {
  return find(ja, key) !== undefined
}

/** The text in two halves around a value that is set apart. */
export function around(key: string, name: string): [string, string] {
  const [before = '', after = ''] = t(key).split(`{${name}}`)
  return [before, after]
}

export function useI18n() {
  return { t, te }
}

export function isLanguage(value: unknown): value is Language {
  return LANGUAGES.includes(value as Language)
}

/** What theme.js chose before the first paint. */
export function initialLanguage(): Language {
  const chosen = document.documentElement.lang.slice(0, 2)
  return isLanguage(chosen) ? chosen : 'ja'
}

export async function useLanguage(wanted: Language): Promise<void> {
  if (wanted !== 'ja' && !messages[wanted]) {
    try {
      messages[wanted] = (await loaders[wanted]()).default
    } catch {
      // Offline: the words stay as they are rather than turning into keys.
      return
    }
  }
  language.value = wanted
  // The right lang gives Han signs their own shapes.
  document.documentElement.lang = wanted === 'zh' ? 'zh-CN' : wanted
}
