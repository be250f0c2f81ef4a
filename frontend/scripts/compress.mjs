// Writes .br and .gz beside every text file of dist/, so that serving costs no processor.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url)
const TEXT = /\.(js|css|html|svg|json|txt)$/

for (const name of await readdir(dist, { recursive: true })) {
  if (!TEXT.test(name)) continue
  const file = new URL(name, dist)
  const body = await readFile(file)
  if (body.length < 512) continue
  await writeFile(new URL(`${name}.gz`, dist), gzipSync(body, { level: 9 }))
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
  }
  await writeFile(new URL(`${name}.br`, dist), brotliCompressSync(body, { params }))
}
