"""Codes by mail: a new password, a verified address, and links that people can follow."""

from __future__ import annotations

import re

import httpx2
import pytest
from tests.support.firebase import ORIGIN, Firebase, a_firebase, refusal

from kessai.sim.firebase.domain import Limits

SHOPPER = "shopper@example.com"


async def ask_for_reset(firebase: Firebase, email: str = SHOPPER) -> None:
    answer = await firebase.ok("sendOobCode", requestType="PASSWORD_RESET", email=email)
    assert answer["email"] == email


async def test_forgotten_password_is_replaced() -> None:
    async with a_firebase() as firebase:
        before = await firebase.sign_in()
        await ask_for_reset(firebase)
        (mail,) = await firebase.mails()
        assert mail == {
            "to": SHOPPER,
            "kind": "PASSWORD_RESET",
            "oobCode": mail["oobCode"],
            "link": f"{ORIGIN}/__/auth/action?mode=resetPassword&oobCode={mail['oobCode']}"
            "&apiKey=fake&lang=ja",
            "sentAt": "2027-01-15T08:00:00.000Z",
            "used": False,
        }
        code = mail["oobCode"]
        asked = await firebase.ok("resetPassword", oobCode=code)
        assert (asked["email"], asked["requestType"]) == (SHOPPER, "PASSWORD_RESET")

        weak = await firebase.refused("resetPassword", oobCode=code, newPassword="12345")
        assert weak.startswith("WEAK_PASSWORD : ")
        done = await firebase.ok("resetPassword", oobCode=code, newPassword="new-secret")

        assert done["email"] == SHOPPER
        await firebase.sign_in(password="new-secret")
        wish = {"email": SHOPPER, "password": "kessai-demo"}
        assert await firebase.refused("signInWithPassword", **wish) == "INVALID_LOGIN_CREDENTIALS"
        assert refusal(await firebase.refresh(before["refreshToken"])) == "TOKEN_EXPIRED"
        # A code works once.
        assert (
            await firebase.refused("resetPassword", oobCode=code, newPassword="another")
            == "INVALID_OOB_CODE"
        )
        assert (await firebase.mails())[0]["used"] is True
        await firebase.sign_in(password="new-secret")


async def test_answer_does_not_tell_who_has_an_account() -> None:
    async with a_firebase() as firebase:
        await ask_for_reset(firebase, "nobody@example.com")

        assert await firebase.mails() == []


async def test_code_ends_after_an_hour() -> None:
    async with a_firebase() as firebase:
        await ask_for_reset(firebase)
        code = (await firebase.mails())[0]["oobCode"]
        firebase.clock.pass_s(3599.9)
        await firebase.ok("resetPassword", oobCode=code)

        firebase.clock.pass_s(0.1)

        wish = {"oobCode": code, "newPassword": "new-secret"}
        assert await firebase.refused("resetPassword", **wish) == "EXPIRED_OOB_CODE"
        await firebase.sign_in()


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"requestType": "PASSWORD_RESET"}, "MISSING_EMAIL"),
        ({"requestType": "VERIFY_EMAIL"}, "MISSING_ID_TOKEN"),
        ({"requestType": "EMAIL_SIGNIN", "email": SHOPPER}, "OPERATION_NOT_ALLOWED"),
        ({"email": SHOPPER}, "MISSING_REQ_TYPE"),
    ],
)
async def test_mail_is_refused(wish: dict[str, str], message: str) -> None:
    async with a_firebase() as firebase:
        assert await firebase.refused("sendOobCode", **wish) == message

        assert await firebase.mails() == []


async def test_address_is_verified() -> None:
    async with a_firebase() as firebase:
        new = await firebase.sign_up()
        await firebase.ok("sendOobCode", requestType="VERIFY_EMAIL", idToken=new["idToken"])
        (mail,) = await firebase.mails()
        assert mail["to"] == "new@example.com"
        wish = {"oobCode": mail["oobCode"], "newPassword": "new-secret"}
        assert await firebase.refused("resetPassword", **wish) == "INVALID_OOB_CODE"

        done = await firebase.ok("update", oobCode=mail["oobCode"])

        assert done["emailVerified"] is True
        assert await firebase.refused("update", oobCode=mail["oobCode"]) == "INVALID_OOB_CODE"


async def test_only_the_newest_mails_are_kept() -> None:
    async with a_firebase(limits=Limits(max_mails=3)) as firebase:
        for _ in range(5):
            await ask_for_reset(firebase)
            firebase.clock.pass_s(1)

        sent = [mail["sentAt"] for mail in await firebase.mails()]
    assert sent == [f"2027-01-15T08:00:0{second}.000Z" for second in (4, 3, 2)]


async def test_person_follows_the_link() -> None:
    async with a_firebase() as firebase:
        await ask_for_reset(firebase)
        listed = await firebase.client.get("/sim/mails", headers={"Accept": "text/html"})
        found = re.search(r'href="(/[^"]+|http[^"]+action[^"]+)">Reset', listed.text)
        assert found
        link = found[1].replace("&amp;", "&").removeprefix(ORIGIN)
        page = await firebase.client.get(link)
        assert f"for {SHOPPER}" in page.text
        code = (await firebase.mails())[0]["oobCode"]

        short = await send_form(firebase, code, "123")
        assert short.status_code == 400
        assert "at least 6 characters" in short.text
        empty = await send_form(firebase, code, "")
        assert "Please enter a password." in empty.text
        done = await send_form(firebase, code, "new-secret")
        assert "Saved" in done.text

        await firebase.sign_in(password="new-secret")
        again = await firebase.client.get(link)
        assert again.status_code == 400
        assert "used already" in again.text


async def send_form(firebase: Firebase, code: str, password: str) -> httpx2.Response:
    return await firebase.client.post(
        "/__/auth/action",
        data={"oobCode": code, "newPassword": password},
        headers={"Origin": ORIGIN},
    )


async def test_person_verifies_the_address() -> None:
    async with a_firebase() as firebase:
        new = await firebase.sign_up()
        await firebase.ok("sendOobCode", requestType="VERIFY_EMAIL", idToken=new["idToken"])
        (mail,) = await firebase.mails()
        page = await firebase.client.get(mail["link"].removeprefix(ORIGIN))
        assert "new@example.com" in page.text
        (user,) = (await firebase.ok("lookup", idToken=new["idToken"]))["users"]
        assert user["emailVerified"] is False  # looking changes nothing

        await send_form(firebase, mail["oobCode"], "")

        (user,) = (await firebase.ok("lookup", idToken=new["idToken"]))["users"]
        assert user["emailVerified"] is True
