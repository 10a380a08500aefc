"""What is worth telling of boards, once each: decided from one look at them to the next.

Nothing is read or written here. A look and what is remembered give what is told now, and what is
remembered from then on. docs/announcements.md says what is told, and when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

from boards.ids import label
from boards.seasons import Season, held_season, millis
from boards.snapshot import STALE_SECONDS, Boards, Row
from games import season as lengths
from games.board import Board, Game
from games.season import HOUR_MILLIS, MINUTE_MILLIS
from settings import Settings

# What is told, the most important first.
KINDS = ("winner", "finish", "last_hour", "leader", "top_3", "milestone", "streak", "top_10")
OF_SEASONS = KINDS[:3]  # told however long it takes
WAITS_MILLIS = 2 * MINUTE_MILLIS  # other news that finds no room for so long is old
TOPS = (3, 10)
# Names of announcements: the same occasion is always called the same.
NAMES = UUID("c0a3a1de-55d3-4a6f-9d0c-5f0b9f2c7e11")

NAME_LENGTH = 48  # of a name within a sentence
FRESH_MILLIS = STALE_SECONDS * 1000  # an older streak is none any more
STREAK_ENDS_MILLIS = MINUTE_MILLIS  # who has not been above the alarm for so long begins a new one
# Jobs write the last totals of a season within seconds; and after an hour its end is old news.
SETTLED_MILLIS, ENDED_MILLIS = 30_000, HOUR_MILLIS


@dataclass(frozen=True)
class Announcement:
    """Something to tell: a sentence, and the same as values.

    `announcement_id` follows from what it is about, and `noticed_at` is in epoch milliseconds.
    """

    announcement_id: str
    game: str
    season: str
    board: str | None
    kind: str
    sentence: str
    noticed_at: int
    entity_kind: str | None = None
    entity_id: str | None = None
    entity_name: str | None = None
    rank_number: int | None = None
    value: Any = None

    @property
    def importance(self) -> int:
        """0 for the most important."""
        return KINDS.index(self.kind)


@dataclass(frozen=True)
class BoardMemory:
    """What is remembered of a board in one season.

    leader      who leads, as was told or was so at the first look, and how often one was told
    entered     the smallest top that somebody has been in, by whom they are found by
    milestones  how many multiples of `milestone_points` each has passed
    newest      the time of the newest row that was seen, in epoch milliseconds
    streaks     when somebody was last seen above the alarm, in epoch milliseconds
    candidate   who is first and has not led for long enough, since when, and with what at the last
                look

    What is not compared changes all the time, and is written with the rest.
    """

    season: str = ""
    season_start: int = 0
    leader: str | None = None
    leaders: int = 0
    entered: dict[str, int] = field(default_factory=dict)
    milestones: dict[str, int] = field(default_factory=dict)
    milestone_points: int = 0
    newest: int = field(default=0, compare=False)
    streaks: dict[str, int] = field(default_factory=dict, compare=False)
    candidate: str | None = field(default=None, compare=False)
    candidate_since: int = field(default=0, compare=False)
    candidate_value: float = field(default=0, compare=False)

    @property
    def length(self) -> str:
        """The name of its season's length."""
        return self.season.partition("-")[0]


@dataclass(frozen=True)
class Memory:
    """What is remembered of a game.

    since       the first look, in epoch milliseconds: what was so by then is no news
    final_until the newest `final_at` whose winners were told, in ISO 8601; empty for none
    last_hour, finished  the season whose last hour, or end, was told last
    waiting     what found no room in its minute
    recent      when something was told in the last minute, in epoch milliseconds
    """

    since: int
    boards: dict[str, BoardMemory] = field(default_factory=dict)
    last_hour: str = ""
    finished: str = ""
    final_until: str = ""
    waiting: tuple[Announcement, ...] = ()
    recent: tuple[int, ...] = field(default=(), compare=False)

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, known: Mapping[str, Any]) -> Memory:
        """What `as_json` made."""
        boards = {name: BoardMemory(**each) for name, each in known["boards"].items()}
        waiting = tuple(Announcement(**each) for each in known["waiting"])
        own = {"boards": boards, "waiting": waiting, "recent": tuple(known["recent"])}
        return cls(**{**known, **own})


@dataclass(frozen=True)
class Look:
    """The boards of a game at one moment (epoch milliseconds), by seasons of this length.

    `over` is what `just_over` asked for, and `final` are seasons that became final since
    `final_until`, the earlier first.
    """

    at: int
    length: lengths.Season
    boards: Boards
    over: tuple[Season, Boards] | None = None
    final: tuple[tuple[Season, Boards], ...] = ()

    @property
    def game(self) -> Game:
        return self.boards.game

    @property
    def season(self) -> Season:
        """The season that runs."""
        return held_season(self.game, self.length, self.length.start_of(self.at))


def just_over(game: Game, length: lengths.Season, memory: Memory, at: int) -> Season | None:
    """The season whose end is to be told now: its boards are wanted."""
    start = length.start_of(at)
    is_now = SETTLED_MILLIS <= at - start <= ENDED_MILLIS
    if length.length_millis is None or not is_now or start <= memory.since:
        return None
    last = held_season(game, length, start - length.length_millis)
    return None if last.season == memory.finished else last


def decide(
    look: Look, memory: Memory | None, settings: Settings
) -> tuple[list[Announcement], Memory]:
    """What is told now, and what is remembered from now on.

    What is noticed at once is told in the order of its importance.
    """
    memory = memory or Memory(since=look.at)
    found: list[Announcement] = []
    boards = dict(memory.boards)
    for board in look.game.announced:
        rows, before = look.boards.rows[board.name], boards.get(board.name)
        if not rows:
            continue
        if board.is_seasonal and board.is_total:
            news, after = _of_totals(board, rows, look, before, memory.since, settings)
        elif "streak" in board.announced and settings.streak_alarm:
            news, after = _streaks(board, rows, look, before or BoardMemory(), settings)
        else:
            continue
        boards[board.name] = after
        found += news
    memory = replace(memory, boards=boards)
    for step in (_last_hour, _finish, _winners):
        told, memory = step(look, memory)
        found += told
    return _in_the_minute(found, look.at, memory, settings)


def _in_the_minute(
    found: list[Announcement], at: int, memory: Memory, settings: Settings
) -> tuple[list[Announcement], Memory]:
    """The most important of what waits, as much as the minute has room for; the rest waits on.

    Of what is equally important, the newest is told.
    """
    most = settings.announcements_per_minute
    recent = tuple(each for each in memory.recent if at - each < MINUTE_MILLIS)
    waiting = [
        each
        for each in (*memory.waiting, *found)
        if most and (each.kind in OF_SEASONS or at - each.noticed_at < WAITS_MILLIS)
    ]
    waiting.sort(key=lambda each: (each.importance, -each.noticed_at))
    room = max(0, most - len(recent))
    told, rest = waiting[:room], waiting[room:]
    told.sort(key=lambda each: (each.noticed_at, each.importance))
    return told, replace(memory, waiting=tuple(rest), recent=(*recent, *[at] * len(told)))


# Boards of totals: leaders, who enters the top, milestones


def _of_totals(
    board: Board,
    rows: list[Row],
    look: Look,
    before: BoardMemory | None,
    since: int,
    settings: Settings,
) -> tuple[list[Announcement], BoardMemory]:
    start = millis(rows[0][board.period or ""])
    newest = max(millis(row[board.newest or ""]) for row in rows)
    season = look.length.id(start)
    if before is None or before.length != look.length.name or start > before.season_start:
        is_begun = start < since if before is None else before.length != look.length.name
        before = BoardMemory(season, start)
        if is_begun:  # what is so already is no news
            before = _as_it_is(board, rows, before, newest)
    elif start < before.season_start or newest < before.newest:
        return [], before  # it is being computed again, and is not there yet
    news: list[Announcement] = []
    after = replace(before, newest=newest)
    for step in (_leader, _entries, _milestones):
        told, after = step(board, rows, look, after, settings)
        news += told
    return news, after


def _as_it_is(board: Board, rows: list[Row], memory: BoardMemory, newest: int) -> BoardMemory:
    found_by = board.found_by
    entered = {row[found_by]: top for row in rows if (top := _top(row["rank_number"]))}
    return replace(memory, leader=rows[0][found_by], entered=entered, newest=newest)


def _leader(
    board: Board, rows: list[Row], look: Look, memory: BoardMemory, settings: Settings
) -> tuple[list[Announcement], BoardMemory]:
    """Somebody new leads who has led for long enough, without a doubt.

    Two who take turns between the looks might seem to lead each time. Totals only rise: nobody was
    ahead since the last look if nobody has more now than the first one had then.
    """
    first, value = rows[0][board.found_by], rows[0][board.value]
    if "leader" not in board.announced or first == memory.leader:
        return [], replace(memory, candidate=None)
    others = max((row[board.value] for row in rows[1:]), default=0)
    has_led = first == memory.candidate and others <= memory.candidate_value
    began = memory.candidate_since if has_led else look.at
    if look.at - began < settings.leader_seconds * 1000:
        return [], replace(memory, candidate=first, candidate_since=began, candidate_value=value)
    count = memory.leaders + 1
    words = f"now leads {board.title} ({_shown(board, value)})"
    told = _about(board, rows[0], look, memory.season, "leader", words, str(count))
    return [told], replace(memory, leader=first, leaders=count, candidate=None)


def _entries(
    board: Board, rows: list[Row], look: Look, memory: BoardMemory, settings: Settings
) -> tuple[list[Announcement], BoardMemory]:
    """Who enters a top for the first time in the season, once somebody had each of its places."""
    if "entry" not in board.announced:
        return [], memory
    news, entered = [], dict(memory.entered)
    for row in rows:
        found_by, top = row[board.found_by], _top(row["rank_number"])
        if top is None or top >= memory.entered.get(found_by, TOPS[-1] + 1):
            continue
        entered[found_by] = top
        if sum(each <= top for each in memory.entered.values()) >= top:
            words = f"enters the top {top} of {board.title} ({_shown(board, row[board.value])})"
            news.append(_about(board, row, look, memory.season, f"top_{top}", words))
    return news, replace(memory, entered=entered)


def _top(rank: int) -> int | None:
    """The smallest top that a rank belongs to."""
    return next((top for top in TOPS if rank <= top), None)


def _milestones(
    board: Board, rows: list[Row], look: Look, memory: BoardMemory, settings: Settings
) -> tuple[list[Announcement], BoardMemory]:
    """Who passes a multiple of the milestone; of several at once, the last is told.

    Whoever is seen for the first time, or with another milestone, may have passed it long ago.
    """
    points = settings.milestone_points
    if "milestone" not in board.announced or not points:
        return [], memory
    before = memory.milestones if memory.milestone_points == points else {}
    news, passed = [], {}
    for row in rows:
        found_by, now = row[board.found_by], row[board.value] // points
        known = before.get(found_by, now)
        passed[found_by] = max(known, now)
        if now > known:
            words = f"passes {_shown(board, now * points)}"
            occasion = str(now * points)
            news.append(_about(board, row, look, memory.season, "milestone", words, occasion))
    return news, replace(memory, milestones=passed, milestone_points=points)


# Streaks


def _streaks(
    board: Board, rows: list[Row], look: Look, memory: BoardMemory, settings: Settings
) -> tuple[list[Announcement], BoardMemory]:
    """Who is above the alarm, and was not within the minute before."""
    end = max(millis(row[board.newest or ""]) for row in rows)
    if end <= memory.newest:
        return [], memory  # told of already, or computed again
    season = look.season.season
    news, seen = [], {}
    for row in rows:
        found_by, value = row[board.found_by], row[board.value]
        if value > settings.streak_alarm:
            seen[found_by] = end
            is_fresh = look.at - end <= FRESH_MILLIS
            if is_fresh and found_by not in memory.streaks:
                words = f"is on a hot streak ({board.show(value)})"
                news.append(_about(board, row, look, season, "streak", words, str(end)))
    lasting = {
        found_by: last
        for found_by, last in memory.streaks.items()
        if end - last <= STREAK_ENDS_MILLIS
    }
    return news, replace(memory, newest=end, streaks=lasting | seen)


# Seasons


def _last_hour(look: Look, memory: Memory) -> tuple[list[Announcement], Memory]:
    """The last hour of a season that is longer has begun, and somebody plays in it."""
    season, end = look.season, look.season.season_end
    starts = look.boards.season_start
    if (
        end is None
        or look.length.length_millis == HOUR_MILLIS
        or look.at < millis(end) - HOUR_MILLIS
        or memory.last_hour == season.season
        or starts != season.season_start
    ):
        return [], memory
    sentence = f"The last hour of season {season.label} has begun: it ends at {end:%H:%M} UTC."
    told = Announcement(
        _id(look.game, season.season, "", "last_hour"),
        look.game.name,
        season.season,
        None,
        "last_hour",
        sentence,
        look.at,
    )
    return [told], replace(memory, last_hour=season.season)


def _finish(look: Look, memory: Memory) -> tuple[list[Announcement], Memory]:
    """Who is first as a season ends, while late events may still change it."""
    if look.over is None:
        return [], memory
    season, boards = look.over
    memory = replace(memory, finished=season.season)
    if boards.final_at:
        return [], memory  # it has winners already
    words = "first in {title} as season {season} ends ({value}); late events may change that"
    return _firsts(look, season, boards, "finish", ("is", "are"), words), memory


def _winners(look: Look, memory: Memory) -> tuple[list[Announcement], Memory]:
    """Who has won a season that is final."""
    found: list[Announcement] = []
    for season, boards in look.final:
        words = "{title} in season {season} ({value})"
        found += _firsts(look, season, boards, "winner", ("wins", "win"), words)
        assert season.final_at
        memory = replace(memory, final_until=season.final_at.isoformat())
    return found, memory


def _firsts(
    look: Look, season: Season, boards: Boards, kind: str, verbs: tuple[str, str], words: str
) -> list[Announcement]:
    """One announcement for each board that tells of winners; it names the first of several."""
    found = []
    for board in look.game.announced:
        rows = [row for row in boards.rows[board.name] if row["rank_number"] == 1]
        if "winner" not in board.announced or not rows:
            continue
        value = _shown(board, rows[0][board.value])
        said = words.format(title=board.title, season=season.label, value=value)
        others = len(rows) - 1
        beside = f"and {others} other{'s' if others > 1 else ''} " if others else ""
        said = f"{beside}{verbs[bool(others)]} {said}"
        found.append(_about(board, rows[0], look, season.season, kind, said))
    return found


# One announcement


def _about(
    board: Board, row: Row, look: Look, season: str, kind: str, words: str, occasion: str = ""
) -> Announcement:
    """That somebody on a board does what the words say; `occasion` tells several apart."""
    entity = board.entity
    entity_id = str(row[entity.id_column])
    name = called(row[entity.name_column], entity_id)
    # A leader is told by the count alone: who it is follows from what is remembered.
    whom = "" if kind in ("leader", "finish", "winner") else row[board.found_by]
    return Announcement(
        _id(look.game, season, board.name, kind, whom, occasion),
        look.game.name,
        season,
        board.name,
        kind,
        f"{name} {words}.",
        look.at,
        board.kind,
        entity_id,
        name,
        row["rank_number"],
        row[board.value],
    )


def called(name: str | None, entity_id: str) -> str:
    """How a sentence calls somebody: the name on one line, cut, or the id where there is none."""
    whole = label(name, entity_id)
    return whole if len(whole) <= NAME_LENGTH else whole[: NAME_LENGTH - 1] + "…"


def _id(game: Game, *about: str) -> str:
    """The same for the same occasion, whoever finds it and how often."""
    return str(uuid5(NAMES, json.dumps([game.name, *about])))


def _shown(board: Board, value: float) -> str:
    return f"{board.show(value)} {board.label.lower()}"
