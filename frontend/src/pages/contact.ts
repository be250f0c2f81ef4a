import * as v from 'valibot'

/** Full-width digits, hyphens of every kind and spaces are how people type numbers. */
export function plainDigits(text: string): string {
  return text.normalize('NFKC').replace(/[\s‐-―−ー()-]/g, '')
}

const digits = (least: number, most: number) =>
  v.pipe(v.string(), v.transform(plainDigits), v.regex(new RegExp(`^\\d{${least},${most}}$`)))
const line = (most: number) =>
  v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(most), v.regex(/^[^\x00-\x1f\x7f]+$/))

export const Contact = v.object({
  name: line(100),
  email: v.pipe(v.string(), v.trim(), v.maxLength(254), v.regex(/^[^@\s]+@[^@\s]+\.[^@\s.]+$/)),
  postal: digits(7, 7),
  phone: v.pipe(digits(10, 11), v.regex(/^0/)),
  address: line(300),
})

export type ContactInput = Record<keyof v.InferInput<typeof Contact>, string>
export type ContactField = keyof ContactInput
export const CONTACT_FIELDS: readonly ContactField[] = ['name', 'email', 'postal', 'phone', 'address']

export interface Checked {
  value: v.InferOutput<typeof Contact> | null
  wrong: ContactField[]
}

export function checkContact(input: ContactInput): Checked {
  const result = v.safeParse(Contact, input)
  if (result.success) return { value: result.output, wrong: [] }
  const wrong = new Set(result.issues.map((issue) => issue.path?.[0]?.key as ContactField))
  return { value: null, wrong: CONTACT_FIELDS.filter((field) => wrong.has(field)) }
}
