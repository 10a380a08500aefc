"""The Overwatch game: profiles of players, as the OverFast API answers for them.

A page asks on one topic, a worker fetches and answers on another, and a job makes rows of the
answers. docs/overwatch.md says what each promises.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict, dataclass

from games.board import Game, Injector, Kept, Table, Topic
from games.season import DAY_MILLIS, HOUR_MILLIS

PLATFORMS = {"pc": "PC", "console": "Console"}
GAMEMODES = {"quickplay": "Quick play", "competitive": "Competitive"}
ROLES = ("tank", "damage", "support")
QUEUES = (*ROLES, "open")  # each has a rank
ALL_HEROES = "all-heroes"
# Of the statistics of one hero, or of all; the API names them so.
CAREER = (
    *("assists", "average", "best", "combat", "game", "match_awards", "hero_specific"),
    "miscellaneous",
)

# What an answer says of a profile. The first three come with what there is to tell of the player;
# after the others, the statistics of before are still the newest.
OK, PRIVATE, NO_STATISTICS = "ok", "private", "no_statistics"
UNKNOWN, WRONG_TAG, FAULT = "unknown", "wrong_tag", "fault"
# The API wants nobody to ask for a while: the person asks again later, or the worker does so soon.
WAIT, HELD = "wait", "held"

# A name in any alphabet, without blanks, and a number: Name#1234 or Name-1234.
BATTLE_TAG = re.compile(r"([^\W\d_][^\W_]{1,11})[#-]([0-9]{3,7})")

KEPT_DAYS, HISTORY_DAYS = 30, 400


@dataclass(frozen=True)
class Request:
    """Whose profile is wanted; on the topic of requests as JSON."""

    player_id: str
    platform: str
    gamemode: str

    def __post_init__(self) -> None:
        if not (player_id(self.player_id) == self.player_id):
            raise ValueError("player_id is no BattleTag")
        if self.platform not in PLATFORMS or self.gamemode not in GAMEMODES:
            raise ValueError("platform or gamemode is none that there is")

    @property
    def key(self) -> dict[str, str]:
        """The columns by which its rows are found."""
        return asdict(self)

    @classmethod
    def read(cls, value: bytes | None) -> Request:
        """The request of a record. Raises ValueError for what is none."""
        fields = json.loads(value or b"")
        names = ("player_id", "platform", "gamemode")
        if not isinstance(fields, dict) or not all(type(fields.get(each)) is str for each in names):
            raise ValueError("a request has a player_id, a platform and a gamemode")
        return cls(*(fields[name] for name in names))


def player_id(battle_tag: str) -> str | None:
    """The id by which the API knows a BattleTag: Name-1234; None when it is none.

    Capital and small letters are different ids.
    """
    found = BATTLE_TAG.fullmatch(unicodedata.normalize("NFC", battle_tag.strip()))
    return f"{found[1]}-{found[2]}" if found else None


REQUESTS = Topic("profile-requests", HOUR_MILLIS)
# What the API has answered, until it may be asked again: so that a worker that comes back knows.
MEMORY = Topic("profile-memory", DAY_MILLIS, is_compacted=True)

PROFILE = ("player_id", "platform", "gamemode")
STATISTIC = (*PROFILE, "category", "hero", "statistic")
JOB = "profiles"  # one job reads the topic once for all tables


def _answered(name: str, key: tuple[str, ...], time: str, days: int) -> Table:
    """A table of what was answered, the last answer for each key; it is kept by that time."""
    return Table(
        name=name,
        key=key,
        grows=("answered_at",),
        kept=Kept(time, days * DAY_MILLIS),
        archived_by=time,
        job=JOB,
        appends=True,
        is_found=True,
    )


PROFILES = _answered("profiles", PROFILE, "answered_at", KEPT_DAYS)
PROFILE_STATISTICS = _answered("profile_statistics", STATISTIC, "answered_at", KEPT_DAYS)
PROFILE_DAYS = _answered("profile_days", (*STATISTIC, "day_start"), "day_start", HISTORY_DAYS)

GAME = Game(
    name="overwatch",
    title="Overwatch",
    topic=lambda settings: "profile-answers",
    tables=(PROFILES, PROFILE_STATISTICS, PROFILE_DAYS),
    sources=("answers.sql", "readable_answers.sql", "answered_statistics.sql"),
    values=lambda settings: {"day_millis": DAY_MILLIS, "answered": f"'{OK}'"},
    injector=Injector(lambda settings: [], lambda settings: {}, kind="worker"),
    topics=(REQUESTS, MEMORY),
    may_be_silent=True,
)
