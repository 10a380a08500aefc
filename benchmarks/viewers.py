"""What many viewers cost: python -m benchmarks.viewers [viewers], beside a running scripts/run_all.sh.

Each viewer is a session as a browser opens it: the page's websocket, and a refresh whenever the page asks for one.
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

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from compose import postgres, services
from settings import settings

SECONDS = 20
FORGOTTEN_SECONDS = 150  # Streamlit keeps a closed session for two minutes, in case the browser comes back
MEGABYTE = 2**20


@dataclass
class Viewer:
    """One open page: answers the page's wish to be refreshed, and notes how long each refresh takes."""

    path: str
    refreshes: list[float] = field(default_factory=list)
    received: int = 0

    async def watch(self, ready: Callable[[], None]) -> None:
        """Look at the page until cancelled; `ready` is called when it has been shown for the first time."""
        host = f"{settings.page_address}:{settings.dashboard_port}"
        address = f"ws://{host}{self.path}_stcore/stream"
        async with connect(address, subprotocols=["streamlit"], max_size=None) as socket:
            await socket.send(_rerun().SerializeToString())
            asked: dict[str, float] = {}
            timers: dict[str, asyncio.Task] = {}
            shown = False
            try:
                async for message in socket:
                    self.received += len(message)
                    forward = ForwardMsg.FromString(message)
                    kind = forward.WhichOneof("type")
                    if kind == "auto_rerun":
                        fragment, interval = forward.auto_rerun.fragment_id, forward.auto_rerun.interval
                        if fragment not in timers:
                            timers[fragment] = asyncio.create_task(_ask_again(socket, fragment, interval, asked))
                    elif kind == "script_finished":
                        now = time.monotonic()
                        self.refreshes += [now - at for at in asked.values()]
                        asked.clear()
                        if not shown:
                            shown = True
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


async def _ask_again(socket: object, fragment: str, interval: float, asked: dict[str, float]) -> None:
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
        return self._process.memory_info().rss / MEGABYTE

    def threads(self) -> int:
        return self._process.num_threads()

    def cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def database(self) -> tuple[int, int]:
        """Transactions of all so far, and connections of the page."""
        with closing(postgres.connect(postgres.owner_dsn(settings))) as db, db.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()" if db.server_version >= 150_000 else "SELECT 1")
            cursor.execute(
                """SELECT
                    (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
                    (SELECT COUNT(*) FROM pg_stat_activity WHERE usename = %s)""",
                [postgres.READER],
            )
            return cursor.fetchone()


async def main() -> int:
    """0 when it was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__.splitlines()[0])
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
    """Open all pages at once; seconds until the last was shown."""
    began, shown = time.monotonic(), [asyncio.Event() for _ in viewers]
    tasks = [asyncio.create_task(each.watch(event.set)) for each, event in zip(viewers, shown, strict=True)]

    async def close() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    open_pages.push_async_callback(close)
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in shown)), timeout=180)
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
        slow = refreshes[int(0.95 * (len(refreshes) - 1))]
        parts.append(f"{len(refreshes) / seconds / len(viewers):.2f} refreshes/s each")
        parts.append(f"{1000 * statistics.median(refreshes):.0f} ms each, 95 % below {1000 * slow:.0f} ms")
        parts.append(f"{sum(each.received for each in viewers) / seconds / len(viewers) / 1000:.0f} kB/s each")
    print(f"{title}: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
