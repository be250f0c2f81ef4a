// Types of the API from the door's own description.
//   npm run api            reads it from a running shop (KESSAI_API, else http://127.0.0.1:8080)
//   npm run api -- --types only writes the types, from the openapi.json that is kept
// That openapi.json follows the services is checked by tests/bff/test_pages.py.
import { readFile, writeFile } from 'node:fs/promises'

import openapiTS, { astToString } from 'openapi-typescript'

const description = new URL('../src/api/openapi.json', import.meta.url)
const types = new URL('../src/api/schema.d.ts', import.meta.url)
const HEAD = '// Written by `npm run api` from openapi.json; do not edit.\n'

if (!process.argv.includes('--types')) {
  const shop = process.env.KESSAI_API ?? 'http://127.0.0.1:8080'
  const answer = await fetch(`${shop}/openapi.json`)
  if (!answer.ok) throw new Error(`${shop}/openapi.json: ${answer.status}`)
  await writeFile(description, JSON.stringify(await answer.json(), null, 1) + '\n')
}
const api = JSON.parse(await readFile(description, 'utf8'))
await writeFile(types, HEAD + astToString(await openapiTS(api)))
