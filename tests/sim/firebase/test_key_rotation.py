"""The loop that keeps the signing key young, on virtual time."""

from __future__ import annotations

import asyncio

from tests.support.firebase import JWK_URL, Firebase, a_firebase

from kessai.proof.virtual_time import VirtualClock, VirtualLoop


def test_key_is_replaced_every_week_and_the_old_one_dropped_hours_later() -> None:
    seen: list[int] = []

    async def story() -> None:
        async with a_firebase(clock=VirtualClock()) as firebase:
            (first,) = await kids(firebase)
            await firebase.unit.start()
            for hours in (7 * 24 - 1, 2, 8):
                await asyncio.sleep(hours * 3600)
                seen.append(len(await kids(firebase)))
            assert first not in await kids(firebase)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())

    assert seen == [1, 2, 1]


async def kids(firebase: Firebase) -> list[str]:
    return [key["kid"] for key in (await firebase.client.get(JWK_URL)).json()["keys"]]
