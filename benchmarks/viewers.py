"""What many viewers cost: python -m benchmarks.viewers [viewers], beside scripts/run_all.sh.

Each viewer is a session as a browser opens it: the page's websocket, and a refresh whenever the
page asks for one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from clients import postgres
from compose import services
from settings import settings

SECONDS = 20
# Streamlit keeps a closed session for two minutes, in case the browser comes back.
FORGOTTEN_SECONDS = 150
MEGABYTE = 2**20
DATABASE_QUERY = """
SELECT
    (
        SELECT xact_commit + xact_rollback
        FROM pg_stat_database
        WHERE datname = current_database()
    ),
    (SELECT COUNT(*) FROM pg_stat_activity WHERE usename = %s)
"""


@dataclass
class Viewer:
    """One open page: refreshes when the page wishes, and notes how long each refresh takes."""

    path: str
    refreshes: list[float] = field(default_factory=list)
    received: int = 0

    async def watch(self, ready: Callable[[], None]) -> None:
        """Look at the page until cancelled; `ready` is called whenever all of it has come."""
        host = f"{settings.page_host}:{settings.dashboard_port}"
        address = f"ws://{host}{self.path}_stcore/stream"
        async with connect(
            address, subprotocols=[Subprotocol("streamlit")], max_size=None
        ) as socket:
            await socket.send(_rerun().SerializeToString())
            asked: dict[str, float] = {}
            timers: dict[str, asyncio.Task] = {}
            try:
                async for message in socket:
                    self.received += len(message)
                    forward = ForwardMsg.FromString(message)
                    kind = forward.WhichOneof("type")
                    if kind == "auto_rerun":
                        wish = forward.auto_rerun
                        if wish.fragment_id not in timers:
                            again = _ask_again(socket, wish.fragment_id, wish.interval, asked)
                            timers[wish.fragment_id] = asyncio.create_task(again)
                    elif kind == "script_finished":
                        now = time.monotonic()
                        self.refreshes += [now - at for at in asked.values()]
                        asked.clear()
                        ready()
            finally:
                for timer in timers.values():
                    timer.cancel()


def _rerun(fragment: str = "") -> BackMsg:
    message = BackMsg()
    message.rerun_script.query_string = ""
    if fragment:
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = True
    return message


async def _ask_again(socket: Any, fragment: str, interval: float, asked: dict[str, float]) -> None:
    while True:
        await asyncio.sleep(interval)
        asked.setdefault(fragment, time.monotonic())
        await socket.send(_rerun(fragment).SerializeToString())


class System:
    """What the page's process and the database do."""

    def __init__(self) -> None:
        pid = services.rpc(settings).getProcessInfo("dashboard")["pid"]
        self._process = psutil.Process(pid)

    def memory_mb(self) -> float:
        """Resident memory of the page's process."""
        return self._process.memory_info().rss / MEGABYTE

    def threads(self) -> int:
        """How many threads it has."""
        return self._process.num_threads()

    def cpu_seconds(self) -> float:
        """CPU that it has used so far."""
        times = self._process.cpu_times()
        return times.user + times.system

    def database(self) -> tuple[int, int]:
        """Transactions of all so far, and connections of the page."""
        with closing(postgres.connect(postgres.owner_dsn(settings))) as db, db.cursor() as cursor:
            if db.server_version >= 150_000:
                cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(DATABASE_QUERY, [postgres.READER])
            ((transactions, connections),) = cursor.fetchall()
            return transactions, connections


async def main() -> int:
    """0 when it was measured."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=about)
    parser.add_argument("viewers", type=int, nargs="?", default=100)
    parser.add_argument("--path", default="/", help="the page that they look at")
    options = parser.parse_args()
    system = System()
    await _measure(system, "nobody", [])
    for count in (1, options.viewers):
        viewers = [Viewer(options.path) for _ in range(count)]
        async with AsyncExitStack() as open_pages:
            first_paint = await _open(viewers, open_pages)
            print(f"{count} opened; the last one was shown after {first_paint:.1f} s", flush=True)
            await _measure(system, f"{count} viewers", viewers)
    await asyncio.sleep(FORGOTTEN_SECONDS)
    await _measure(system, f"{FORGOTTEN_SECONDS} s after all have gone", [])
    return 0


async def _open(viewers: list[Viewer], open_pages: AsyncExitStack) -> float:
    """Open all pages at once; seconds until all of the last one has come."""
    began, ready = time.monotonic(), [asyncio.Event() for _ in viewers]
    watching = [each.watch(event.set) for each, event in zip(viewers, ready, strict=True)]
    tasks = [asyncio.create_task(each) for each in watching]

    async def close() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    open_pages.push_async_callback(close)
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in ready)), timeout=180)
    return time.monotonic() - began


async def _measure(system: System, title: str, viewers: list[Viewer]) -> None:
    for each in viewers:
        each.refreshes.clear()
        each.received = 0
    (transactions, _), cpu, began = system.database(), system.cpu_seconds(), time.monotonic()
    await asyncio.sleep(SECONDS)
    seconds = time.monotonic() - began
    (more, connections), used = system.database(), system.cpu_seconds() - cpu
    parts = [
        f"{(more - transactions) / seconds:.1f} transactions/s in the database",
        f"{connections} connections of the page",
        f"{100 * used / seconds:.0f} % of a core",
        f"{system.memory_mb():.0f} MB",
        f"{system.threads()} threads",
    ]
    refreshes = sorted(time for each in viewers for time in each.refreshes)
    if refreshes:
        median, slow = (
            1000 * each
            for each in (statistics.median(refreshes), refreshes[int(0.95 * (len(refreshes) - 1))])
        )
        kilobytes = sum(each.received for each in viewers) / 1000
        parts += [
            f"{len(refreshes) / seconds / len(viewers):.2f} refreshes/s each",
            f"{median:.0f} ms each, 95 % below {slow:.0f} ms",
            f"{kilobytes / seconds / len(viewers):.0f} kB/s each",
        ]
    print(f"{title}: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
