import { initializeApp } from '@firebase/app'
import {
  browserLocalPersistence,
  confirmPasswordReset,
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  deleteUser,
  indexedDBLocalPersistence,
  initializeAuth,
  sendPasswordResetEmail,
  signInWithEmailAndPassword,
  signOut,
  updateProfile,
  type Auth,
} from '@firebase/auth'

import type { Config } from '@/api/client'

export interface Identity {
  signIn(email: string, password: string): Promise<string>
  signUp(email: string, password: string, name: string): Promise<string>
  signOut(): Promise<void>
  sendReset(email: string): Promise<void>
  confirmReset(code: string, password: string): Promise<void>
  currentToken(): Promise<string | null>
  /** Only with the password; `before` runs once it is known to be right. */
  remove(email: string, password: string, before: (idToken: string) => Promise<void>): Promise<void>
}

let made: Identity | null = null

/** Firebase's official modules; loaded when somebody signs in, never before the first paint. */
export function identity(config: Config): Identity {
  made ??= of(authOf(config))
  return made
}

function authOf({ firebase }: Config): Auth {
  const { apiKey, authDomain, projectId, appId, apiBaseUrl } = firebase
  const app = initializeApp({ apiKey, authDomain, projectId, appId })
  const auth = initializeAuth(app, { persistence: [indexedDBLocalPersistence, browserLocalPersistence] })
  // Firebase itself is the default of the modules; any other address is a stand-in for it.
  if (!apiBaseUrl.includes('googleapis.com')) connectAuthEmulator(auth, apiBaseUrl, { disableWarnings: true })
  return auth
}

function of(auth: Auth): Identity {
  return {
    async signIn(email, password) {
      const { user } = await signInWithEmailAndPassword(auth, email, password)
      return user.getIdToken()
    },
    async signUp(email, password, name) {
      const { user } = await createUserWithEmailAndPassword(auth, email, password)
      if (name) await updateProfile(user, { displayName: name })
      // The name is a claim of the next token only.
      return user.getIdToken(true)
    },
    signOut: () => signOut(auth),
    sendReset: (email) => sendPasswordResetEmail(auth, email),
    confirmReset: (code, password) => confirmPasswordReset(auth, code, password),
    async remove(email, password, before) {
      const { user } = await signInWithEmailAndPassword(auth, email, password)
      await before(await user.getIdToken())
      await deleteUser(user)
    },
    async currentToken() {
      await auth.authStateReady()
      return (await auth.currentUser?.getIdToken()) ?? null
    },
  }
}
