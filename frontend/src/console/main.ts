import { createPinia } from 'pinia'
import { createApp } from 'vue'

import { usePrefs } from '@/stores/prefs'

import Console from './Console.vue'

// The operators' entry: its pages come with the console's own work.
const app = createApp(Console)
app.use(createPinia())
await usePrefs().begin()
app.mount('#app')
