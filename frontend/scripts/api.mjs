// Types of the API from the door's own description.
//   npm run api            reads it from a running shop (KESSAI_API, else http://127.0.0.1:8080)
//   npm run api -- --check says whether schema.d.ts still follows openapi.json
// That openapi.json follows the services is checked by tests/bff/test_pages.py.
import { readFile, writeFile } from 'node:fs/promises'

import openapiTS, { astToString } from 'openapi-typescript'

const description = new URL('../src/api/openapi.json', import.meta.url)
const types = new URL('../src/api/schema.d.ts', import.meta.url)
const HEAD = '// Written by `npm run api` from openapi.json; do not edit.\n'

const check = process.argv.includes('--check')
if (!check) {
  const shop = process.env.KESSAI_API ?? 'http://127.0.0.1:8080'
  const answer = await fetch(`${shop}/openapi.json`)
  if (!answer.ok) throw new Error(`${shop}/openapi.json: ${answer.status}`)
  await writeFile(description, JSON.stringify(await answer.json(), null, 1) + '\n')
}
const api = JSON.parse(await readFile(description, 'utf8'))
const wanted = HEAD + astToString(await openapiTS(api))
if (!check) {
  await writeFile(types, wanted)
} else if ((await readFile(types, 'utf8')) !== wanted) {
  console.error('src/api/schema.d.ts does not follow src/api/openapi.json; run: npm run api')
  process.exitCode = 1
}
