import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import { api, renewSessionBy, type Config } from '@/api/client'

export interface User {
  userId: string
  email: string | null
  name: string | null
  role: string | null
}

export const useSession = defineStore('session', () => {
  const user = shallowRef<User | null>(null)
  /** Nobody knows yet until the first answer. */
  const isKnown = ref(false)
  const config = shallowRef<Config | null>(null)
  const isSignedIn = computed(() => user.value !== null)

  let configuring: Promise<Config> | null = null
  function configured(): Promise<Config> {
    configuring ??= api.config().then(
      (answer) => (config.value = answer),
      (error: unknown) => {
        configuring = null
        throw error
      },
    )
    return configuring
  }

  let asking: Promise<void> | null = null
  /** Who am I; asked once. An unreachable server is not the same as nobody. */
  function known(): Promise<void> {
    if (isKnown.value) return Promise.resolve()
    asking ??= refresh().finally(() => {
      asking = null
    })
    return asking
  }

  async function refresh(): Promise<void> {
    const status = await api.status()
    user.value = status.success && status.userId
      ? { userId: status.userId, email: status.email ?? null, name: status.name ?? null, role: status.role ?? null }
      : null
    isKnown.value = true
  }

  const identity = async () => (await import('./identity')).identity(await configured())

  async function enter(idToken: string): Promise<void> {
    await api.signIn(idToken)
    await refresh()
  }

  async function signIn(email: string, password: string): Promise<void> {
    await enter(await (await identity()).signIn(email, password))
  }

  async function signUp(email: string, password: string, name: string): Promise<void> {
    await enter(await (await identity()).signUp(email, password, name))
  }

  async function signOut(): Promise<void> {
    await (await identity()).signOut()
    await api.signOut()
    user.value = null
    isKnown.value = true
  }

  /** Personal information first: once the identity is gone, nobody could erase it. */
  async function removeAccount(password: string): Promise<void> {
    await (await identity()).remove(user.value?.email ?? '', password, async (idToken) => {
      await enter(idToken)
      await api.saveProfile({ lastName: null, firstName: null, lastNameKana: null, firstNameKana: null, birthDate: null, gender: null })
    })
    user.value = null
    isKnown.value = true
    await api.signOut()
  }

  let renewing: Promise<boolean> | null = null
  /** The shop's session ended; whoever is still signed in at Firebase gets a new one unasked. */
  function renew(): Promise<boolean> {
    renewing ??= (async () => {
      try {
        const token = await (await identity()).currentToken()
        if (!token) {
          user.value = null
          return false
        }
        await enter(token)
        return true
      } catch {
        return false
      }
    })().finally(() => {
      renewing = null
    })
    return renewing
  }
  renewSessionBy(renew)

  return {
    user, isKnown, isSignedIn, config,
    configured, known, refresh, signIn, signUp, signOut, removeAccount,
    sendReset: async (email: string) => (await identity()).sendReset(email),
    confirmReset: async (code: string, password: string) => (await identity()).confirmReset(code, password),
  }
})
