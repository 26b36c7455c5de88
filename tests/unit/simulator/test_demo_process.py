"""The keeper of the demo's processes: readiness, unasked deaths, whole groups, the leash, a full disk."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from edge_agent import leash
from simulator.process import NotReady, Process, State

WAIT_S = 10.0
SLEEPER = "import sys,time; print('here', flush=True); time.sleep(600)"
FAMILY = (
    "import subprocess,sys,time\n"
    "c=subprocess.Popen([sys.executable,'-c','import time;time.sleep(600)'])\n"
    "print(c.pid,flush=True); time.sleep(600)"
)
STUBBORN = (
    "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here',flush=True); time.sleep(600)"
)


async def until(condition: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + WAIT_S
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"waited {WAIT_S} s in vain for {what}"
        await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def process(tmp_path: Path, code: str) -> tuple[Process, list[str], list[State]]:
    said: list[str] = []
    states: list[State] = []

    async def ready() -> bool:
        return bool(one.lines)

    one = Process(
        "thing",
        [sys.executable, "-c", code],
        ready=ready,
        log=tmp_path / "thing.log",
        say=said.append,
    )
    one.watch(lambda p: states.append(p.state))
    return one, said, states


def test_a_process_is_up_when_its_condition_holds_and_stop_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        one, _, states = process(tmp_path, SLEEPER)
        await one.start()
        assert one.state is State.UP
        pid = one.pid
        assert pid is not None
        await one.stop()
        assert gone(pid)
        assert states == [State.STARTING, State.UP, State.OFF]
        assert b"here" in (tmp_path / "thing.log").read_bytes()

    asyncio.run(run())


def test_the_whole_group_ends_with_its_leader_however_it_ends(tmp_path: Path) -> None:
    async def run() -> None:
        for end in ("stop", "kill", "crash"):
            one, _, _ = process(tmp_path, FAMILY)
            await one.start()
            child = int(one.lines[-1])
            if end == "crash":
                assert one.pid is not None
                os.kill(one.pid, signal.SIGKILL)
            else:
                await getattr(one, end)()
            await until(partial(gone, child), f"the child to be gone after {end}")
            await one.stop()

    asyncio.run(run())


def test_a_process_that_does_not_heed_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    async def run() -> None:
        one, said, _ = process(tmp_path, STUBBORN)
        await one.start()
        pid = one.pid
        assert pid is not None
        await one.stop(grace_s=0.3)
        assert gone(pid)
        assert "did not end" in said[-1]

    asyncio.run(run())


def test_a_process_that_dies_unasked_is_reported_with_its_last_lines_and_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        one, said, states = process(tmp_path, SLEEPER)
        await one.start()
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: one.state is State.DEAD, "the death to be seen")
        assert "killed by SIGKILL" in said[-1]
        assert "here" in said[-1]
        await until(lambda: one.state is State.UP, "it to be back")
        assert one.pid not in (None, first)
        assert one.restarts == 1
        await one.stop()
        assert State.DEAD in states

    asyncio.run(run())


def test_a_process_that_was_killed_on_purpose_stays_off(tmp_path: Path) -> None:
    async def run() -> None:
        one, _, states = process(tmp_path, SLEEPER)
        await one.start()
        await one.kill()
        await asyncio.sleep(0)
        await one.start()
        assert states == [State.STARTING, State.UP, State.OFF, State.STARTING, State.UP]
        await one.stop()

    asyncio.run(run())


def test_a_process_that_ends_before_it_is_ready_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    async def run() -> None:
        async def never() -> bool:
            return False

        code = "import sys; sys.stderr.write('no such port\\n'); sys.exit(3)"
        one = Process("thing", [sys.executable, "-c", code], ready=never, log=tmp_path / "log")
        with pytest.raises(NotReady, match=r"exit code 3(.|\n)*no such port"):
            await one.start()
        assert one.state is State.OFF

    asyncio.run(run())


def test_a_leashed_process_dies_with_its_parent_even_when_that_is_sigkilled(tmp_path: Path) -> None:
    parent = (
        "import subprocess,sys,time; from edge_agent import leash\n"
        f"c=subprocess.Popen(leash.command([sys.executable,'-c',{SLEEPER!r}]), start_new_session=True)\n"
        "print(c.pid,flush=True); time.sleep(600)"
    )

    async def run() -> None:
        one = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE)
        assert one.stdout is not None
        child = int(await asyncio.wait_for(one.stdout.readline(), WAIT_S))
        assert await asyncio.wait_for(one.stdout.readline(), WAIT_S) == b"here\n"
        one.kill()
        await one.wait()
        await until(lambda: gone(child), "the leashed child to be gone")

    asyncio.run(run())


def test_a_full_disk_fails_every_write_and_goes_away_again(tmp_path: Path) -> None:
    code = (
        "import sys,time\n"
        "while True:\n"
        "    try:\n"
        f"        open({str(tmp_path / 'file')!r}, 'wb', 0).write(b'x')\n"
        "        print('written', flush=True)\n"
        "    except OSError as error:\n"
        "        print(error.strerror, flush=True)\n"
        "    time.sleep(0.01)\n"
    )

    async def run() -> None:
        one, _, _ = process(tmp_path, code)
        await one.start()
        one.limit_files(0)
        await until(lambda: one.lines[-1] == "File too large", "a write to fail")
        await one.kill()
        one.lines.clear()
        await one.start()
        await until(lambda: one.lines[-1] == "File too large", "the disk to be full for the next life too")
        one.limit_files(None)
        await until(lambda: one.lines[-1] == "written", "a write to succeed")
        await one.stop()

    asyncio.run(run())


def test_no_such_command_is_said_plainly(tmp_path: Path) -> None:
    async def run() -> None:
        async def never() -> bool:
            return False

        one = Process("thing", [str(tmp_path / "missing")], ready=never, log=tmp_path / "log")
        with pytest.raises(NotReady, match="No such file"):
            await one.start()

    asyncio.run(run())


def test_the_leash_refuses_a_parent_that_is_gone() -> None:
    assert leash.main(["1" if os.getppid() != 1 else "2", "--", "/bin/true"]) == leash.NO_LEASH
