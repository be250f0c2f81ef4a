import { ref } from 'vue'

/** Whether the order on the page is paid, by the server's word; the step bar shows it. */
export const paidHere = ref(false)
