"""Connects to Temporal, or says in one line why that is not possible."""

from __future__ import annotations

from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from kessai.saga.temporal.address import Address, parse_address
from kessai.saga.temporal.converter import DATA_CONVERTER

_LIMIT = timedelta(seconds=5)


async def connect(url: str, identity: str | None = None) -> tuple[Client, Address]:
    """Raises `ValueError` with a line for people."""
    try:
        address = parse_address(url)
    except ValueError as error:
        raise ValueError(f"KESSAI_TEMPORAL_URL: {error}") from error
    try:
        client = await Client.connect(
            address.target,
            namespace=address.namespace,
            tls=address.tls,
            data_converter=DATA_CONVERTER,
            identity=identity,
            connect_timeout=_LIMIT,
        )
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=address.namespace), timeout=_LIMIT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            text = f"KESSAI_TEMPORAL_URL: there is no namespace {address.namespace!r}"
        else:
            text = f"KESSAI_TEMPORAL_URL: {address.target} does not serve us ({error})"
        raise ValueError(text) from error
    except RuntimeError as error:
        raise ValueError(f"KESSAI_TEMPORAL_URL: no Temporal answers at {address.target}") from error
    return client, address
