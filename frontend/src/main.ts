import { VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'

import { queries } from '@/api/queries'
import App from '@/App.vue'
import { makeRouter } from '@/router'
import { usePrefs } from '@/stores/prefs'
import { useSession } from '@/stores/session'

const app = createApp(App)
const pinia = createPinia()
app.use(pinia).use(VueQueryPlugin, { queryClient: queries })

const session = useSession(pinia)
const router = makeRouter(session)
app.use(router)

// The words come first: a page that changes its language after the first paint moves.
await usePrefs(pinia).begin()
app.mount('#app')

// Who is here matters after the first paint; a page that needs it sooner asks itself.
const later = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 200))
later(() => void session.known().catch(() => undefined))

// A deploy took the old chunks away while this tab was open: load the page anew, once.
addEventListener('vite:preloadError', (event) => {
  const key = 'kessai.reloaded'
  if (sessionStorage.getItem(key) === location.pathname) return
  sessionStorage.setItem(key, location.pathname)
  event.preventDefault()
  location.reload()
})
