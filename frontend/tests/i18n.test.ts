import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, describe, expect, it } from 'vitest'

import { around, LANGUAGES, t, te, useLanguage } from '@/i18n'
import { dayTimeText, minuteText, sealText, shortId, timeText, yenText } from '@/i18n/format'
import { named } from '@/i18n/names'
import { ORDER, PAYMENT, RESERVATION } from '@/parts/states'

interface Tree {
  [key: string]: string | Tree
}
const root = join(import.meta.dirname, '..')
const read = (language: string) => JSON.parse(readFileSync(join(root, `src/i18n/${language}.json`), 'utf8')) as Tree
function flat(tree: Tree, before = ''): Map<string, string> {
  return new Map(Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[before + key, value] as const] : [...flat(value, `${before}${key}.`)])))
}
const texts = Object.fromEntries(LANGUAGES.map((language) => [language, flat(read(language))])) as Record<string, Map<string, string>>
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

afterEach(() => useLanguage('ja'))

describe('the three languages', () => {
  it.each(['en', 'zh'])('%s has every key of Japanese, no other, with the same values', (language) => {
    const other = texts[language]
    expect([...(other?.keys() ?? [])].sort()).toEqual([...(texts['ja']?.keys() ?? [])].sort())
    for (const [key, text] of texts['ja'] ?? []) expect([key, holes(other?.get(key) ?? '')]).toEqual([key, holes(text)])
  })

  it('leaves no text empty, and none shouting', () => {
    for (const language of LANGUAGES) {
      for (const [key, text] of texts[language] ?? []) expect([key, text.trim() !== '' && !/[!！]/.test(text)]).toEqual([key, true])
    }
  })

  it('has a word for every state', () => {
    for (const [kind, states] of Object.entries({ order: ORDER, payment: PAYMENT, reservation: RESERVATION })) {
      for (const state of Object.keys(states)) expect([`${kind}.${state}`, te(`${kind}.${state}`)]).toEqual([`${kind}.${state}`, true])
    }
  })

  it('has every key that a page names', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(vue|ts)$/.test(name))
    const named = files.flatMap((name) => [...readFileSync(join(root, 'src', name), 'utf8').matchAll(/\bt\('([\w.]+)'/g)].map(([, key]) => key ?? ''))
    expect(named.length).toBeGreaterThan(200)
    expect(named.filter((key) => !te(key))).toEqual([])
  })

  it('keeps Japanese and Chinese out of templates', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.vue'))
    const found = files.filter((name) => {
      const template = readFileSync(join(root, 'src', name), 'utf8').split('<template>').slice(1).join('')
      return /[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]/.test(template)
    })
    expect(found).toEqual([])
  })

  it('fills values in, falls back to Japanese and shows a strange key as it is', async () => {
    expect(t('shelf.few', { n: 3 })).toBe('残り3点')
    await useLanguage('en')
    expect(document.documentElement.lang).toBe('en')
    expect(t('shelf.few', { n: 3 })).toBe('3 left')
    expect(t('no.such.key')).toBe('no.such.key')
    expect(t('constructor')).toBe('constructor')
    await useLanguage('zh')
    expect(document.documentElement.lang).toBe('zh-CN')
    expect(around('pay.since', 'time')).toEqual(['确认已进行 ', ''])
  })

  it('names a product in the language of the page, and tells when it cannot', async () => {
    expect(named('急須', { en: 'Teapot' })).toEqual({ text: '急須', lang: undefined })
    await useLanguage('en')
    expect(named('急須', { en: 'Teapot' })).toEqual({ text: 'Teapot', lang: undefined })
    expect(named('急須', { zh: '急须' })).toEqual({ text: '急須', lang: 'ja' })
    expect(named('急須', null)).toEqual({ text: '急須', lang: 'ja' })
  })
})

describe('figures and times', () => {
  it('writes yen with one sign in every language', () => {
    expect([yenText(25_180), yenText(0), yenText(-600)]).toEqual(['¥25,180', '¥0', '−¥600'])
  })
  it('tells the time of Japan, wherever the device is', () => {
    const at = '2026-11-22T15:30:05.123Z'
    expect(timeText(at, 'ja')).toBe('00:30:05')
    expect(minuteText(at, 'en')).toBe('00:30')
    expect(dayTimeText(at, 'ja')).toBe('11月23日 00:30:05')
    expect(dayTimeText(at, 'en')).toBe('23 Nov 00:30:05')
    expect(sealText(at)).toBe('26.11.23')
    expect([timeText('nonsense', 'ja'), sealText('')]).toEqual(['', ''])
  })
  it('shortens only what is long', () => {
    expect([shortId('04639123452816'), shortId('short')]).toEqual(['04639…2816', 'short'])
  })
})
