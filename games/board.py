"""What a game computes, as data: its tables and boards, each described once.

Tables, topics, triggers, views, panels, the API, metrics and checks follow from these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from settings import Settings

SEASON = "season_start"  # the period of tables that begin anew with each season


@dataclass(frozen=True)
class Entity:
    """What a row of a board is about, and how it is called.

    `page` is the page that its name leads to, and `beside` a column that stands beside the name.
    """

    title: str
    id_column: str
    name_column: str
    page: str = ""
    beside: str = ""


@dataclass(frozen=True)
class Kept:
    """How long rows stay that nobody writes again: the time that they have, and milliseconds.

    None is as long as a season can still change.
    """

    column: str
    millis: int | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a job writes: one table in PostgreSQL, one compacted topic in Kafka.

    Its folder `sql/<game>/<name>/` has `metric.sql` (the SELECT, in Flink) and `columns.sql`;
    `rank.sql` where readers see it, `postgres.sql` where PostgreSQL needs more than the table,
    and `count.sql` where its rows are counted in a cheaper way.

    key         what a row is found by, within a period
    period      the time column that the primary key begins with: totals start anew with it
    grows       what never falls for one key, in the order of significance; a row with less than
                the one that is there is of the past, and ignored
    kept        how long old rows stay; None is for ever
    archived_by the time by which old rows outlive the events that they come from, when a table is
                computed anew; by default its period
    job         the job that writes it; by default one of its own name
    appends     rows are only ever added: nothing of a row is taken back before a newer one of the
                same key takes its place
    for_lookups a row for everybody: only a sink that can look somebody up holds it
    is_found    readers ask for the rows of a key, or for all, in any sink, and see them as
                `rank.sql` says; it is no board
    written_if  the settings under which its job runs, apart from the jobs of the boards; None is
                all
    """

    name: str
    key: tuple[str, ...]
    period: str | None = None
    grows: tuple[str, ...] = ()
    kept: Kept | None = None
    archived_by: str | None = None
    job: str = ""
    appends: bool = False
    for_lookups: bool = False
    is_found: bool = False
    written_if: Callable[[Settings], bool] | None = None
    game: str = ""  # filled in by Game
    schema: str = "flink"

    def __post_init__(self) -> None:
        object.__setattr__(self, "job", self.job or self.name)
        object.__setattr__(self, "archived_by", self.archived_by or self.period)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return (self.period, *self.key) if self.period else self.key

    @property
    def is_seasonal(self) -> bool:
        """Whether it begins anew with each season."""
        return self.period == SEASON

    def is_written(self, settings: Settings) -> bool:
        """Whether a job writes it under these settings."""
        return self.written_if is None or self.written_if(settings)

    @property
    def topic(self) -> str:
        """The compacted topic that holds it in Kafka mode."""
        return self.name.replace("_", "-")

    @property
    def folder(self) -> str:
        """Where its SQL lies, below `sql/`."""
        return f"{self.game}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Board(Table):
    """A table whose rows are ranked where they are read.

    value       what it is ranked by, the greatest first
    label       the head of that column on the page
    show        that value as a person reads it
    title       its name on the page, with the question that it answers beside it
    entity      whom its rows are about
    accent      the colour of its panel: blue, teal, orange, purple or green
    newest      the time column that tells how new it is; None when it carries no time
    keeps_best  the job keeps the best places of each period only, and so does the sink; this
                needs a value that grows. Others are kept whole
    late_events the table that counts, by season, the events that came too late for it
    everybody   the table in which all are whom the board could rank: its `everybody.sql` ranks
                them for prizes that go further than the board
    may_be_empty it is no trouble when it has no rows: for example in the first hour after the
                start, for a board that compares an hour with the one before
    why_empty   what its panel says when it has no rows
    announced   what is told of it (docs/announcements.md): a new "leader", an "entry" into the top,
                a "milestone", a "streak", the "winner" of a season
    """

    value: str
    label: str
    title: str
    question: str
    entity: Entity
    show: Callable[[float], str] = "{:,}".format
    accent: str = "blue"
    newest: str | None = None
    keeps_best: bool = False
    late_events: str | None = None
    everybody: str | None = None
    may_be_empty: bool = False
    why_empty: str = "Nothing here yet"
    announced: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if {"leader", "entry", "milestone"} & {*self.announced} and not (
            self.is_seasonal and self.is_total
        ):
            raise ValueError(f"{self.name}: who leads is told of totals of a season only")
        if self.keeps_best and not (self.period and self.value == self.grows[0]):
            raise ValueError(f"{self.name}: only totals that grow within a period can be cut")

    @property
    def found_by(self) -> str:
        """The column that one entity is followed by, from one reading to the next."""
        return self.key[-1]

    @property
    def kind(self) -> str:
        """What its rows are about, in a word: as bans and awards call them."""
        return self.entity.title.lower()

    @property
    def is_total(self) -> bool:
        """Whether its value only rises: a trend then shows what was gained."""
        return self.value in self.grows


@dataclass(frozen=True, kw_only=True)
class Feed(Table):
    """Events that a job sends to the topic of another game, whose contract they keep.

    `columns.sql` names their fields, and `key` the one that is the record's key. Each has an id
    that follows from what it is made of, so that one that is sent again counts once. Its job does
    nothing else: it goes on where it was when boards are computed anew.

    to  that game's name; while it is not among the chosen ones, nothing is sent
    """

    to: str


@dataclass(frozen=True)
class Injector:
    """How run_all.sh starts a game's event source: its words after `python -m generator <game>`.

    `ports` are the names of the settings with the ports on which it listens. It is the service
    `<game>_<kind>`: a "generator" invents events, a "worker" fetches them.
    """

    words: Callable[[Settings], list[str]]
    ports: Callable[[Settings], dict[str, int]]
    kind: str = "generator"


@dataclass(frozen=True)
class Topic:
    """A topic beside that of the events, of one partition: for what its services tell each other.

    Records are kept for so many milliseconds; of a compacted one, the latest of each key.
    """

    name: str
    kept_millis: int
    is_compacted: bool = False


@dataclass(frozen=True, kw_only=True)
class Game:
    """A topic of events and the tables that are computed from it.

    topic    the name of its events' topic
    tables   all that its jobs write; the boards among them in the order of the page
    feeds    the events that its jobs make for other games
    sources  the files in `sql/<game>/sources/`, in the order in which they define tables and views
    values   what fills the placeholders of its SQL, beside `topic` and `places`
    rejects  the table that lists its rejected messages
    counts   what the page counts: a title, and the table whose newest period is counted
    injector how run_all.sh starts its event source; None when there is none
    topics   its other topics
    may_be_silent it is no trouble when no event comes for a while
    campaigns the table with the boards of its campaigns (boards/campaigns.py): a row per campaign,
             board and place, and at place 0 the sums of everybody; None when it has none
    """

    name: str
    title: str
    topic: Callable[[Settings], str]
    tables: tuple[Table, ...]
    sources: tuple[str, ...]
    values: Callable[[Settings], Mapping[str, object]] = field(default=lambda settings: {})
    feeds: tuple[Feed, ...] = ()
    rejects: str | None = None
    counts: Mapping[str, str] = field(default_factory=dict, hash=False)
    injector: Injector | None = None
    topics: tuple[Topic, ...] = ()
    may_be_silent: bool = False
    campaigns: str | None = None

    def __post_init__(self) -> None:
        for table in (*self.tables, *self.feeds):
            object.__setattr__(table, "game", self.name)
        if {table.job for table in self.tables} & {feed.job for feed in self.feeds}:
            raise ValueError(f"{self.name}: a job that feeds another game can do nothing else")

    @property
    def boards(self) -> tuple[Board, ...]:
        """The tables that are ranked for people."""
        return tuple(table for table in self.tables if isinstance(table, Board))

    @property
    def service(self) -> str:
        """The name of the service that is its event source."""
        return f"{self.name}_{self.injector.kind if self.injector else 'generator'}"

    @property
    def found(self) -> tuple[Table, ...]:
        """The tables in which readers find the rows of a key."""
        return tuple(table for table in self.tables if table.is_found)

    @property
    def seasonal(self) -> tuple[Board, ...]:
        """The boards that begin anew with each season: they are what a season leaves."""
        return tuple(board for board in self.boards if board.is_seasonal)

    @property
    def announced(self) -> tuple[Board, ...]:
        """The boards of which something is told."""
        return tuple(board for board in self.boards if board.announced)

    @property
    def listed(self) -> tuple[Table, ...]:
        """What one reading of the boards holds: the boards and their counts of late events."""
        counts = dict.fromkeys(board.late_events for board in self.boards if board.late_events)
        return (*self.boards, *map(self.table, counts))

    @property
    def of_campaigns(self) -> tuple[Table, ...]:
        """The table of its campaigns' boards, if there is one."""
        return (self.table(self.campaigns),) if self.campaigns else ()

    @property
    def jobs(self) -> dict[str, tuple[Table, ...]]:
        """The tables or feeds that each of its jobs writes, by the job's name."""
        written = (*self.tables, *self.feeds)
        names = dict.fromkeys(each.job for each in written)
        return {name: tuple(each for each in written if each.job == name) for name in names}

    def table(self, name: str) -> Table:
        """The table of this name. Raises KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]

    def board(self, name: str) -> Board:
        """The board of this name. Raises KeyError when there is none."""
        return {board.name: board for board in self.boards}[name]
