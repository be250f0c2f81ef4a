/** One text for a wrong address and a wrong password: nobody learns which addresses are known. */
const WORDS: Record<string, string> = {
  'auth/invalid-credential': 'auth.wrong',
  'auth/wrong-password': 'auth.wrong',
  'auth/user-not-found': 'auth.wrong',
  'auth/invalid-email': 'auth.wrong',
  'auth/email-already-in-use': 'auth.exists',
  'auth/weak-password': 'auth.weak',
  'auth/too-many-requests': 'auth.tooMany',
  TOO_MANY_REQUESTS: 'auth.tooMany',
  'auth/user-disabled': 'auth.disabled',
  'auth/expired-action-code': 'auth.codeBad',
  'auth/invalid-action-code': 'auth.codeBad',
}

export function authWords(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return WORDS[code] ?? 'auth.unavailable'
}
