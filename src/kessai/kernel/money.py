"""Money is a whole number of yen; there is no smaller unit and no float on any path."""

from __future__ import annotations

from typing import NewType

from kessai.kernel.errors import Invalid

Yen = NewType("Yen", int)

# PayPay's MoneyAmount takes at most eleven digits (paypay.md, section 1).
MAX_YEN = 99_999_999_999


def yen(amount: int, field: str = "amount") -> Yen:
    """A checked amount. Raises `Invalid` below 1 yen, above eleven digits, or for a non-integer."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise Invalid(field, "NOT_AN_INTEGER")
    if not 1 <= amount <= MAX_YEN:
        raise Invalid(field, "OUT_OF_RANGE")
    return Yen(amount)


def tax_included_yen(amount_yen: int, percent: int = 10) -> int:
    """The consumption tax inside a tax-included amount, rounded down as Japanese receipts do."""
    return amount_yen * percent // (100 + percent)
