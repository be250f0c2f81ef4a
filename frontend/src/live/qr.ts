import { encode } from 'uqr'

export interface QrDrawing {
  size: number
  path: string
}

const QUIET = 4

/** A QR code as one SVG path with its quiet zone; null for what no code can hold. */
export function drawQr(text: string): QrDrawing | null {
  try {
    const { data, size } = encode(text, { ecc: 'M', border: 0 })
    let path = ''
    data.forEach((row, y) => {
      for (let x = 0; x < row.length; x++) {
        let run = 0
        while (row[x + run]) run++
        if (run) path += `M${x + QUIET} ${y + QUIET}h${run}v1h-${run}z`
        x += run
      }
    })
    return { size: size + 2 * QUIET, path }
  } catch {
    return null
  }
}
