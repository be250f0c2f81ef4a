"""A business key that no log of ours could keep is refused by every store, with nothing written."""

from __future__ import annotations

import pytest
from tests.saga.world import (
    Shop,
    an_engine,
    machines,
    order_saga,
    play,
    run_virtual,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import Kind, Refused
from kessai.saga import Filter, MemoryLog
from kessai.saga.log.tables import KEY_LENGTH

LONGEST = "鍵" * KEY_LENGTH
TOO_LONG = LONGEST + "x"


def test_a_key_that_is_too_long_starts_nothing_and_the_longest_one_does() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        for starting in (engine.begin, engine.execute):
            with pytest.raises(Refused, match="at most 128 characters") as refusal:
                await starting("order", {}, business_key=TOO_LONG)
            assert (refusal.value.code, refusal.value.kind) == ("SAGA_BUSINESS_KEY", Kind.INVALID)
        async with db.transaction() as tx:
            for start in (engine.start, engine.start_once):
                with pytest.raises(Refused) as refusal:
                    await start(tx, "order", TOO_LONG, {})
                assert refusal.value.code == "SAGA_BUSINESS_KEY"
        assert (await machines(db), shop.asked) == ([], [])

        outcome = await engine.execute("order", {"orderId": "o-1"}, business_key=LONGEST)
        assert outcome is not None
        assert outcome.succeeded
        assert [row["business_key"] for row in await machines(db)] == [LONGEST]

    play(story)


def test_the_log_in_memory_refuses_it_as_the_others_do() -> None:
    async def story() -> None:
        engine = an_engine(MemoryLog(), Shop(), order_saga())
        with pytest.raises(Refused) as refusal:
            await engine.begin("order", {}, business_key=TOO_LONG)
        assert refusal.value.code == "SAGA_BUSINESS_KEY"
        assert await engine.list(Filter()) == []

    run_virtual(story())
