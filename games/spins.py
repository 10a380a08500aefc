"""The spins game: players of an online casino spin slots, and campaigns rank them by what they win.

docs/spins.md says what its events and boards promise.
"""

from __future__ import annotations

from games.board import Game, Injector, Kept, Table
from games.season import DAY_MILLIS
from settings import Settings

TOPIC = "gameplay"
LEAST_INT, GREATEST_INT = -(2**31), 2**31 - 1
HIGHEST_WIN = 10**15  # of one spin, in minor units: nine thousand of them fit into 64 bits
ID_LENGTH = 128  # characters of a spinId
AHEAD_MILLIS = 60_000  # a spin's time may be so far ahead of its record's
SLIDE_SECONDS = 10  # how often the window of the last minutes moves on

CAMPAIGN_LEADERS = Table(
    name="campaign_leaders",
    key=("campaign_id", "board", "place"),
    job="campaigns",
)
REJECTED_SPINS = Table(
    name="rejected_spins",
    key=("event_topic", "event_partition", "event_offset"),
    kept=Kept("rejected_at", 7 * DAY_MILLIS),
    archived_by="rejected_at",
    job="campaigns",
    appends=True,
)


def _values(settings: Settings) -> dict[str, object]:
    return {
        "id_length": ID_LENGTH,
        "least_int": LEAST_INT,
        "greatest_int": GREATEST_INT,
        "highest_win": HIGHEST_WIN,
        "ahead_millis": AHEAD_MILLIS,
        "deduplicate_minutes": settings.deduplicate_minutes,
        "slide_seconds": SLIDE_SECONDS,
    }


def _injector_words(settings: Settings) -> list[str]:
    rate = str(settings.rate_per_second)
    return ["--topic", TOPIC, "--loop", "--events", "0", "--rate", rate, "--print_n_msg", "0"]


GAME = Game(
    name="spins",
    title="Slot spins",
    topic=lambda settings: TOPIC,
    tables=(CAMPAIGN_LEADERS, REJECTED_SPINS),
    sources=(
        "messages.sql",
        "classified_messages.sql",
        "valid_spins.sql",
        "accepted_spins.sql",
        "campaigns.sql",
        "clock.sql",
        "campaign_terms.sql",
    ),
    values=_values,
    rejects=REJECTED_SPINS.name,
    injector=Injector(_injector_words, lambda settings: {}),
    campaigns=CAMPAIGN_LEADERS.name,
)
