// PayPay's own Node SDK as a program: a call per line in, its answer per line out (JSON).
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [folder, hostName, port] = process.argv.slice(2)
const PAYPAY = createRequire(`${folder}/`)('@paypayopa/paypayopa-sdk-node')
const METHODS = {
  createCode: 'QRCodeCreate',
  deleteCode: 'QRCodeDelete',
  getCodePayment: 'GetCodePaymentDetails',
  getPayment: 'GetPaymentDetails',
  cancel: 'PaymentCancel',
  refund: 'PaymentRefund',
  getRefund: 'GetRefundDetails',
  capture: 'PaymentAuthCapture',
  revert: 'PaymentAuthRevert',
  createPayment: 'CreatePayment',
  createSession: 'AccountLinkQRCodeCreate',
  getPending: 'GetPendingPaymentDetails',
}

// It prints its hints to stdout, where our answers go.
let said = ''
console.log = (...words) => { said += `${words.join(' ')}\n` }

// The SDK has no time limit, and never calls back when an answer ends before it is whole.
function within(seconds, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ ERROR: `no answer in ${seconds} s` }), seconds * 1000)
    promise.then(resolve).finally(() => clearTimeout(timer))
  })
}

async function call({ operation, arguments: [given], key, secret, merchant, timeoutS }) {
  said = ''
  PAYPAY.Configure({
    clientId: key,
    clientSecret: secret,
    merchantId: merchant || undefined,
    conf: new PAYPAY.Conf({ hostName, portNumber: Number(port) }),
  })
  // What goes into the path is given as an array.
  const input = typeof given === 'string' ? [given] : given
  const { STATUS, BODY, ERROR } = await within(timeoutS, PAYPAY[METHODS[operation]](input))
  return { status: STATUS ?? null, body: BODY ?? null, error: ERROR ?? null, said }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await call(JSON.parse(line)))}\n`)
}
