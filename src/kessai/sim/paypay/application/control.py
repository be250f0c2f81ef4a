"""All parts of the simulator together, for those who watch it and set it back."""

from __future__ import annotations

from dataclasses import dataclass

from kessai.sim.paypay.application.alarms import Alarms
from kessai.sim.paypay.application.authorisations import Authorisations
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.customer import Customer
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.merchant import Merchant
from kessai.sim.paypay.application.settlement import Settlement
from kessai.sim.paypay.application.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Control:
    book: Book
    merchant: Merchant
    authorisations: Authorisations
    customer: Customer
    webhooks: Webhooks
    faults: FaultBox
    happenings: Happenings
    alarms: Alarms
    settlement: Settlement

    async def open(self) -> None:
        """What an earlier process left."""
        await self.book.open()
        await self.faults.open()
        await self.customer.open()
        for payment in self.book:
            self.alarms.watch(payment, only_future=True)

    async def reset(self) -> None:
        await self.book.clear()
        self.webhooks.clear()
        self.alarms.clear()
        self.customer.clear()
        self.settlement.clear()
        self.faults.clear()
        self.happenings.clear()
