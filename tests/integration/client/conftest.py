"""Clients of both kinds."""

from collections.abc import Iterator

import pytest

from tests.integration.client.either_client import ClientMaker, LoopThread


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["blocking", "aio"])
def make_client(request: pytest.FixtureRequest, loop_thread: LoopThread) -> Iterator[ClientMaker]:
    maker = ClientMaker(loop_thread if request.param == "aio" else None)
    yield maker
    maker.close()
