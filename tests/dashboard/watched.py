"""Whether a page that stays open keeps its memory: python -m tests.dashboard.watched [MINUTES].

On the running system, it takes the browser's heap after a collection, its elements, and the
resident memory of the server's processes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from playwright.sync_api import Browser, CDPSession, Page

from settings import settings
from tests.conftest import chromium

MILLIS = 120_000
WARM_UP = 0.25  # of the time: trends fill, caches warm
GROWTH = 1.25


@dataclass(frozen=True)
class Use:
    """Bytes of the browser's heap, elements on the page, bytes of the server."""

    heap: float
    elements: float
    server: int


def watch(
    browser: Browser, address: str, server_port: int, seconds: float, every: float = 10
) -> Iterator[Use]:
    """The use of a page that is open for so long, measured every so many seconds."""
    page = browser.new_page()
    page.goto(address, timeout=MILLIS)
    page.locator("table.ranks").first.wait_for(timeout=MILLIS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page.wait_for_timeout(every * 1000)
        yield _use(page, session, server_port)
    page.close()


def _use(page: Page, session: CDPSession, server_port: int) -> Use:
    session.send("HeapProfiler.collectGarbage")
    metrics = {
        each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
    }
    found = psutil.net_connections("tcp")
    servers = {
        each.pid
        for each in found
        if each.status == "LISTEN" and each.laddr and each.laddr.port == server_port
    }
    resident = sum(psutil.Process(pid).memory_info().rss for pid in servers)
    return Use(metrics["JSHeapUsedSize"], metrics["Nodes"], resident)


def grown(uses: list[Use]) -> list[str]:
    """What is more at the end than after warming up; nothing when all is well."""
    kept = uses[int(len(uses) * WARM_UP) :]
    half = len(kept) // 2
    found = []
    for name in ("heap", "elements", "server"):
        first, last = (
            max(getattr(each, name) for each in part) for part in (kept[:half], kept[half:])
        )
        if last > first * GROWTH:
            found.append(f"{name}: {first:,.0f} at first, {last:,.0f} in the end")
    return found


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    address, port = (
        f"http://{settings.page_host}:{settings.dashboard_port}",
        settings.dashboard_port,
    )
    uses = []
    with chromium() as browser:
        for use in watch(browser, address, port, minutes * 60):
            uses.append(use)
            mib = [each / 2**20 for each in (use.heap, use.server)]
            print(
                f"heap {mib[0]:.1f} MiB, {use.elements:.0f} nodes, server {mib[1]:.0f} MiB",
                flush=True,
            )
    print("\n".join(grown(uses)) or "Nothing grew.")
    return bool(grown(uses))


if __name__ == "__main__":
    sys.exit(main())
