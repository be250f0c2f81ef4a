"""What comes in: calls of other services."""

from __future__ import annotations

from fastapi import APIRouter

from kessai.contracts.account import AccountService
from kessai.kernel.calls import mount


def routes(accounts: AccountService, *, token: str) -> APIRouter:
    return mount(AccountService, accounts, token=token)
