"""The cable between a unit and its broker: it carries, it is cut for real, and it heals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from simulator.tcp_cut import TcpCut
from tests.servers import free_port

WAIT_S = 5.0


def run(body: Callable[[TcpCut], Awaitable[None]]) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def whole() -> None:
        port, far = free_port(), free_port()
        server = await asyncio.start_server(echo, "127.0.0.1", far)
        cut = TcpCut(port, ("127.0.0.1", far))
        await cut.open()
        try:
            async with asyncio.timeout(4 * WAIT_S):
                await body(cut)
        finally:
            await cut.close()
            server.close()

    asyncio.run(whole())


async def said_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: bytes) -> bytes:
    writer.write(words)
    await writer.drain()
    return await asyncio.wait_for(reader.readexactly(len(words)), WAIT_S)


def test_it_carries_bytes_both_ways() -> None:
    async def body(cut: TcpCut) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", cut.port)
        assert await said_back(reader, writer, b"hello" * 10_000) == b"hello" * 10_000
        writer.close()

    run(body)


def test_cutting_resets_what_is_connected_and_refuses_what_comes() -> None:
    async def body(cut: TcpCut) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", cut.port)
        await said_back(reader, writer, b"hello")
        await cut.cut()
        assert cut.connections == 0
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.readexactly(1), WAIT_S)
        late, late_writer = await asyncio.open_connection("127.0.0.1", cut.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await said_back(late, late_writer, b"hello")

    run(body)


def test_healing_lets_them_in_again_on_the_same_port() -> None:
    async def body(cut: TcpCut) -> None:
        await cut.cut()
        cut.heal()
        reader, writer = await asyncio.open_connection("127.0.0.1", cut.port)
        assert await said_back(reader, writer, b"again") == b"again"
        writer.close()

    run(body)


def test_a_broker_that_is_gone_resets_the_unit_and_not_the_relay() -> None:
    async def body(cut: TcpCut) -> None:
        cut.target = ("127.0.0.1", free_port())
        reader, writer = await asyncio.open_connection("127.0.0.1", cut.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await said_back(reader, writer, b"anybody?")

    run(body)
