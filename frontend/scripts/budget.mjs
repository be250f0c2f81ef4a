// Bytes over the wire (gzip), read from the build's own manifest; over a budget the exit code is 1.
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'))
const KB = 1024
const ENTRY_KB = 95
const ROUTE_KB = 25
const PAGE_KB = 160
const CSS_KB = 12
// Firebase's own modules; loaded when somebody signs in.
const AUTH_KB = 32

const sizes = new Map()
async function size(file) {
  if (!sizes.has(file)) sizes.set(file, gzipSync(await readFile(new URL(file, dist)), { level: 9 }).length)
  return sizes.get(file)
}

/** The files that a chunk needs before it runs, each once. */
function needs(key, found = new Set(), css = new Set()) {
  const chunk = manifest[key]
  if (found.has(chunk.file)) return { js: found, css }
  found.add(chunk.file)
  for (const sheet of chunk.css ?? []) css.add(sheet)
  for (const other of chunk.imports ?? []) needs(other, found, css)
  return { js: found, css }
}

const total = async (files) => {
  let sum = 0
  for (const file of files) sum += await size(file)
  return sum
}

let failed = false
function row(name, bytes, limitKb) {
  const over = bytes > limitKb * KB
  failed ||= over
  console.log(`${over ? 'OVER' : 'ok  '} ${(bytes / KB).toFixed(1).padStart(6)} of ${limitKb} KB  ${name}`)
}

const entry = needs('index.html')
row('shop: entry', await total(entry.js), ENTRY_KB)
const sheets = new Set(entry.css)
let largest = 0
for (const key of Object.keys(manifest)) {
  const chunk = manifest[key]
  if (!chunk.isDynamicEntry) continue
  const { js, css } = needs(key)
  const own = [...js].filter((file) => !entry.js.has(file))
  const bytes = await total(own)
  const isAuth = key.endsWith('identity.ts')
  row(key, bytes, isAuth ? AUTH_KB : ROUTE_KB)
  if (key.startsWith('src/pages/')) for (const sheet of css) sheets.add(sheet)
  if (!isAuth) largest = Math.max(largest, bytes)
}
row('shop: largest page with sign-in', (await total(entry.js)) + largest + AUTH_KB * KB, PAGE_KB)
row('shop: all style sheets', await total(sheets), CSS_KB)
process.exitCode = failed ? 1 : 0
