/** A part of a text, and whether it is what the person typed. */
export interface Piece {
  text: string
  isMatch: boolean
}

/** Where the typed words are; full-width and half-width letters and cases are the same. */
export function pieces(text: string, typed: string): Piece[] {
  const wanted = typed.normalize('NFKC').toLowerCase().trim()
  const folded = [...text].map((sign) => sign.normalize('NFKC').toLowerCase())
  const whole = folded.join('')
  const start = wanted ? whole.indexOf(wanted) : -1
  if (start < 0) return [{ text, isMatch: false }]
  const signs = [...text]
  let position = 0
  const found: Piece[] = []
  signs.forEach((sign, i) => {
    const isMatch = position >= start && position < start + wanted.length
    position += folded[i]?.length ?? 0
    const last = found.at(-1)
    if (last && last.isMatch === isMatch) last.text += sign
    else found.push({ text: sign, isMatch })
  })
  return found
}

/** The row that an arrow key leads to; -1 is the input itself, so one can come back to it. */
export function moveActive(active: number, count: number, key: 'ArrowDown' | 'ArrowUp'): number {
  if (count === 0) return -1
  const next = key === 'ArrowDown' ? active + 1 : active - 1
  if (next >= count) return -1
  return next < -1 ? count - 1 : next
}
