"""Tasks that are cancelled stay cancelled: what only the asynchronous client can do."""

import asyncio
import threading

import grpc
import pytest

from pairguard.client import AioClient, ClientOptions, FailureKind, ParticipantInput
from tests.integration.client.either_client import LoopThread
from tests.integration.client.scripted_service import (
    Hanging,
    ScriptedService,
    aborting,
    reserved_port,
    serving,
)

A, B = ParticipantInput("a"), ParticipantInput("b")


async def until_set(event: threading.Event) -> bool:
    """Wait for an event of another thread."""
    return await asyncio.to_thread(event.wait, 10)


def test_a_cancelled_task_gets_no_answer(loop_thread: LoopThread) -> None:
    hanging = Hanging()
    service = ScriptedService(hanging)

    async def story(address: str) -> None:
        async with AioClient(ClientOptions(address, timeout_seconds=10)) as client:
            task = asyncio.create_task(client.score_pair(A, B))
            assert await until_set(service.arrived)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # The server is told, so that it does not work for nobody.
            assert await until_set(hanging.ended)

    with serving(service) as address:
        loop_thread.run(story(address))

    assert len(service.arrivals) == 1


def test_a_task_cancelled_between_attempts_gets_no_answer(loop_thread: LoopThread) -> None:
    async def story(port: int) -> None:
        options = ClientOptions(
            f"127.0.0.1:{port}", timeout_seconds=10, max_attempts=10, wait_for_ready=False
        )
        async with AioClient(options) as client:
            for delay_seconds in (0.0, 0.005, 0.02, 0.05):
                task = asyncio.create_task(client.score_pair(A, B))
                await asyncio.sleep(delay_seconds)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    with reserved_port() as port:
        loop_thread.run(story(port))


def test_a_timeout_of_the_callers_own_is_theirs(loop_thread: LoopThread) -> None:
    async def story(address: str) -> None:
        async with AioClient(ClientOptions(address, timeout_seconds=10)) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.score_pair(A, B)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.assess_age(A), 0.1)

    with serving(ScriptedService(Hanging())) as address:
        loop_thread.run(story(address))


def test_a_channel_closed_by_its_owner_is_a_reroute(loop_thread: LoopThread) -> None:
    service = ScriptedService(Hanging())

    async def story(address: str) -> None:
        channel = grpc.aio.insecure_channel(address)
        client = AioClient(ClientOptions(address, timeout_seconds=10), channel=channel)
        task = asyncio.create_task(client.score_pair(A, B))
        assert await until_set(service.arrived)
        await channel.close()
        decision = await task
        assert not decision.allowed
        assert decision.error is not None
        assert decision.error.kind is FailureKind.CLIENT_CLOSED

    with serving(service) as address:
        loop_thread.run(story(address))


def test_many_tasks_share_a_client(loop_thread: LoopThread) -> None:
    service = ScriptedService()

    async def story(address: str) -> list[bool]:
        async with AioClient(ClientOptions(address, timeout_seconds=10)) as client:
            answers = await asyncio.gather(*(client.score_pair(A, B) for _ in range(50)))
        return [answer.allowed for answer in answers]

    with serving(service) as address:
        assert loop_thread.run(story(address)) == [True] * 50

    assert len(service.arrivals) == 50


def test_one_failing_task_leaves_the_others_alone(loop_thread: LoopThread) -> None:
    service = ScriptedService(aborting(grpc.StatusCode.INTERNAL), lambda _: None)

    async def story(address: str) -> list[str]:
        async with AioClient(ClientOptions(address, timeout_seconds=10)) as client:
            answers = await asyncio.gather(*(client.score_pair(A, B) for _ in range(5)))
        return sorted(str(answer.reasons[0].code) for answer in answers)

    with serving(service) as address:
        kinds = loop_thread.run(story(address))

    assert kinds == ["RESPONSE_INVALID"] * 4 + ["SERVICE_FAILED"]


def test_an_aio_client_needs_its_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AioClient("127.0.0.1:1")
