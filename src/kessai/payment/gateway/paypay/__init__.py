"""PayPay over HTTP: signed to the byte, within its limits, and never a conclusion from silence."""

from kessai.payment.gateway.paypay.client import PayPay
from kessai.payment.gateway.paypay.limits import PayPayLimits
from kessai.payment.gateway.paypay.meters import Meters

__all__ = ["Meters", "PayPay", "PayPayLimits"]
