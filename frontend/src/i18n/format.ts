import type { Language } from './index'

const LOCALE: Record<Language, string> = { ja: 'ja-JP', en: 'en-GB', zh: 'zh-CN' }
const ZONE = 'Asia/Tokyo'

const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** Digits of an amount with its separators; the sign is set apart, smaller, by `Money`. */
export function digits(yen: number): string {
  return number.format(yen)
}

/** Intl writes JP¥ in Chinese and a full-width sign in Japanese; the shop writes one sign. */
export function yenText(yen: number): string {
  return yen < 0 ? `−¥${digits(-yen)}` : `¥${digits(yen)}`
}

const made = new Map<string, Intl.DateTimeFormat>()

function format(at: number | string, language: Language, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return ''
  const key = language + JSON.stringify(options)
  let formatter = made.get(key)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(LOCALE[language], { timeZone: ZONE, hourCycle: 'h23', ...options })
    made.set(key, formatter)
  }
  return formatter.format(date)
}

/** Always Japan's time, whatever the zone of the device. */
export function timeText(at: number | string, language: Language): string {
  return format(at, language, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

export function minuteText(at: number | string, language: Language): string {
  return format(at, language, { hour: '2-digit', minute: '2-digit' })
}

export function dayText(at: number | string, language: Language): string {
  return format(at, language, { month: language === 'en' ? 'short' : 'long', day: 'numeric' })
}

export function longDayText(at: number | string, language: Language): string {
  return format(at, language, { year: 'numeric', month: language === 'en' ? 'short' : 'long', day: 'numeric' })
}

export function dayTimeText(at: number | string, language: Language): string {
  return `${dayText(at, language)} ${timeText(at, language)}`
}

/** YY.MM.DD for the date seal. */
export function sealText(at: number | string): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return ''
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE, year: '2-digit', month: '2-digit', day: '2-digit' })
  return parts.format(date).replaceAll('-', '.')
}

/** The middle of a long number tells nobody anything. */
export function shortId(id: string): string {
  return id.length > 12 ? `${id.slice(0, 5)}…${id.slice(-4)}` : id
}
