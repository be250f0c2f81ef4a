import { nextTick } from 'vue'
import { createRouter, createWebHistory, type RouteLocationNormalized, type Router } from 'vue-router'

import Home from '@/pages/Home.vue'
import type { useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Only with a session; sign-in leads back here. */
    member?: boolean
    /** A step of the order: the header shows the way instead of the shop. */
    step?: 1 | 2 | 3 | 4
    /** Key of the document's title. */
    title?: string
  }
}

const routes = [
  { path: '/', name: 'home', component: Home, meta: { title: 'nav.home' } },
  { path: '/products', name: 'list', component: Home, meta: { title: 'nav.home' } },
  { path: '/products/:id', name: 'product', component: () => import('@/pages/Product.vue'), props: true, meta: { title: 'nav.home' } },
  { path: '/cart', name: 'cart', component: () => import('@/pages/Cart.vue'), meta: { title: 'cart.title' } },
  { path: '/login', name: 'login', component: () => import('@/pages/SignIn.vue'), props: { mode: 'signIn' }, meta: { title: 'auth.signIn' } },
  { path: '/signup', name: 'signup', component: () => import('@/pages/SignIn.vue'), props: { mode: 'signUp' }, meta: { title: 'auth.signUp' } },
  { path: '/reset', name: 'reset', component: () => import('@/pages/Reset.vue'), meta: { title: 'auth.resetTitle' } },
  { path: '/checkout', name: 'checkout', component: () => import('@/pages/Checkout.vue'), meta: { member: true, step: 2 as const, title: 'checkout.title' } },
  { path: '/checkout/:id/pay', name: 'pay', component: () => import('@/pages/Pay.vue'), props: true, meta: { member: true, step: 3 as const, title: 'pay.title' } },
  // Where PayPay sends the customer back to. The address proves nothing: the server is asked.
  { path: '/checkout/:id/result', name: 'result', component: () => import('@/pages/Pay.vue'), props: (route: RouteLocationNormalized) => ({ id: String(route.params['id']), returned: true }), meta: { member: true, step: 3 as const, title: 'pay.title' } },
  { path: '/orders', name: 'orders', component: () => import('@/pages/Orders.vue'), meta: { member: true, title: 'orders.title' } },
  { path: '/orders/:id', name: 'order', component: () => import('@/pages/Order.vue'), props: true, meta: { member: true, title: 'orders.title' } },
  { path: '/orders/:id/receipt', name: 'receipt', component: () => import('@/pages/Receipt.vue'), props: true, meta: { member: true, title: 'receipt.title' } },
  { path: '/account', name: 'account', component: () => import('@/pages/Account.vue'), meta: { member: true, title: 'account.title' } },
  { path: '/:path(.*)*', name: 'missing', component: () => import('@/pages/Missing.vue'), meta: { title: 'missing.title' } },
]

export function makeRouter(session: ReturnType<typeof useSession>): Router {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
  })

  router.beforeEach(async (to) => {
    if (!to.meta.member || session.isSignedIn) return true
    try {
      await session.known()
    } catch {
      // The page itself tells that the server is away, and tries again.
      return true
    }
    return session.isSignedIn ? true : { name: 'login', query: { next: to.fullPath } }
  })

  // A new page begins at its title, also for whoever hears it.
  router.afterEach(async (to, from) => {
    if (to.path === from.path || from.matched.length === 0) return
    await nextTick()
    const title = document.querySelector<HTMLElement>('h1') ?? document.querySelector<HTMLElement>('main')
    title?.setAttribute('tabindex', '-1')
    title?.focus({ preventScroll: true })
  })
  return router
}

/** Where sign-in leads to: a path of this shop, never another site. */
export function safeNext(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : '/'
}
