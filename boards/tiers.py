"""Prizes as data: the tiers of a board, who is within them, and what an award is called.

The tiers of a board are tried in their order. docs/prizes.md is for people.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from psycopg2.extras import Json

from boards import lookups
from boards.seasons import EVERYBODY, Entrant, NotYet, Standing
from clients import postgres
from games.board import Board
from settings import Settings

# Names of awards: the same winner of the same board by the same rule is always called the same.
NAMES = UUID("6f0dbb0e-0b0a-4c55-9d5c-3a7f5f1c9e21")
RANKS = re.compile(r"(?P<first>[1-9]\d{0,8})(-(?P<last>[1-9]\d{0,8}))?")
PERCENT = re.compile(r"(?P<percent>\d{1,3}(\.\d+)?) ?%")


class PrizeError(ValueError):
    """Tiers that cannot be; the message says why."""


@dataclass(frozen=True)
class Tier:
    """Who wins, and what: the ranks `first` to `last`, or the best `percent` of all.

    Exactly one of `last` and `percent` is given. The prize is a text, or whatever JSON has.
    """

    prize: Any
    first: int = 1
    last: int | None = None
    percent: float | None = None

    @property
    def title(self) -> str:
        """1, 2-10 or 5 %."""
        if self.percent is not None:
            return f"{self.percent:g} %"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def last_rank(self, count: int | None) -> int:
        """The last rank that wins among so many. Raises NotYet when that depends on how many."""
        if self.last is not None:
            return self.last
        assert self.percent is not None
        if count is None:
            raise NotYet(
                f"a prize goes to {self.title} of all, and it is unknown how many they are. "
                f"{EVERYBODY}"
            )
        return math.ceil(count * self.percent / 100)

    def as_dict(self) -> dict[str, Any]:
        if self.percent is not None:
            return {"percent": self.percent, "prize": self.prize}
        return {"ranks": [self.first, self.last], "prize": self.prize}


def tier(said: Any) -> Tier:
    """A tier as JSON has it: {"ranks": [2, 10], "prize": …} or {"percent": 5, "prize": …}.

    Raises PrizeError.
    """
    match said:
        case {"ranks": [int(first), int(last)], "prize": prize, **rest} if not rest:
            if not 1 <= first <= last <= 10**9:
                raise PrizeError(f"ranks {first} to {last}: give the smaller one first, from 1 on")
            found = Tier(prize, first, last)
        case {"percent": int() | float() as percent, "prize": prize, **rest} if not rest:
            if not 0 < percent <= 100:
                raise PrizeError(f"{percent} %: give more than 0 and at most 100")
            found = Tier(prize, percent=float(percent))
        case _:
            raise PrizeError(
                f'{json.dumps(said)[:200]} is no tier; it must be {{"ranks": [2, 10], "prize": …}} '
                'or {"percent": 5, "prize": …}'
            )
    if found.prize in (None, "", [], {}) or "\\u0000" in json.dumps(found.prize):
        raise PrizeError(f"tier {found.title} has no prize, or one with U+0000 in it")
    return found


def tier_of_words(ranks: str, prize: str) -> Tier:
    """A tier as people type it: "1", "2-10" or "5%", and a text or JSON. Raises PrizeError."""
    try:
        won = json.loads(prize) if prize.strip()[:1] in ("{", "[") else prize.strip()
    except ValueError as error:
        raise PrizeError(f"the prize {prize!r} begins like JSON and is none: {error}") from None
    if found := RANKS.fullmatch(ranks.strip()):
        first = int(found["first"])
        return tier({"ranks": [first, int(found["last"] or first)], "prize": won})
    if found := PERCENT.fullmatch(ranks.strip()):
        return tier({"percent": float(found["percent"]), "prize": won})
    raise PrizeError(f"{ranks!r} are no ranks; give 1, 2-10 or 5%")


def tiers(said: Any) -> tuple[Tier, ...]:
    """All tiers of a board, as JSON has them. Raises PrizeError."""
    if not isinstance(said, list):
        raise PrizeError("tiers must be a list")
    return tuple(map(tier, said))


@dataclass(frozen=True)
class Rule:
    """What the winners of a board get, by the version that holds."""

    version: int
    tiers: tuple[Tier, ...]
    author: str = ""
    set_at: Any = None


@dataclass(frozen=True)
class Award:
    """What somebody has won on a board. `tier` counts from 1, in the order of the rule."""

    award_id: str
    board: str
    entity_kind: str
    entity: Entrant
    rule_version: int
    tier: int
    prize: Any


def awards(standing: Standing, rule: Rule, game: str, season: str) -> list[Award]:
    """Who wins what: all of a rank alike, and everybody the first tier that they are in.

    Raises NotYet when it is not known who is within the tiers.
    """
    lasts = [each.last_rank(standing.count) for each in rule.tiers]
    winners: dict[str, Award] = {}
    for entrant in standing.best(max(lasts, default=0)):
        numbered = enumerate(zip(rule.tiers, lasts, strict=True), 1)
        won = next((n for n, (of, last) in numbered if of.first <= entrant.rank_number <= last), 0)
        # Somebody may be on a board twice, as the best of two teams: the better place counts.
        if won and entrant.entity_id not in winners:
            winners[entrant.entity_id] = Award(
                award_id(game, season, standing.board, rule.version, entrant.entity_id),
                standing.board.name,
                standing.board.kind,
                entrant,
                rule.version,
                won,
                rule.tiers[won - 1].prize,
            )
    return list(winners.values())


def award_id(game: str, season: str, board: Board, version: int, entity_id: str) -> str:
    """The same for the same winner, whoever asks and however often."""
    return str(uuid5(NAMES, json.dumps([game, season, board.name, version, entity_id])))


def rules(cursor: Any) -> dict[str, Rule]:
    """The rules that hold, by board; one without tiers is that of a board without prizes."""
    cursor.execute("SELECT board, rule_version, tiers, author, set_at FROM leaderboard.prize_rules")
    return {
        board: Rule(version, tiers(said), author, at) for board, version, said, author, at in cursor
    }


def set_rule(settings: Settings, board: Board, said: Sequence[Tier], author: str) -> int:
    """Let these be the prizes of a board from now on. Returns the version of the rule."""
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db, db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO finals.prize_rules (board, tiers, author) VALUES (%s, %s, %s) "
            "RETURNING rule_version",
            [board.name, Json([each.as_dict() for each in said]), lookups.sendable(author)],
        )
        ((version,),) = cursor.fetchall()
    return int(version)
