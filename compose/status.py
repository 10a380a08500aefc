"""How the whole system is: services, jobs, checkpoints and the age of the boards.

RUNNING is not health. Healthy means that every service runs, that every board has a job whose
checkpoints complete and that has read all but the newest events, that no event was deleted
unread, and that the boards hold recent data.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka.errors import KafkaError
from rich.markup import escape
from rich.table import Table

from boards import history, shared_ids
from boards.ids import visible
from boards.shared_ids import SharedId
from boards.sinks import sink
from boards.snapshot import LEFT_BEHIND_SECONDS, STALE_SECONDS, Boards
from clients import flink
from clients.errors import BoardsUnavailable, JobError
from compose import lag, services, troubles
from compose.flink import is_own
from compose.lag import Gap, Lag, Reading
from games import chosen, season
from games.board import Board
from games.season import Season
from jobs import savepoints
from jobs.names import JobName, board_jobs
from jobs.running import computing, planned, running, sink_of
from jobs.savepoints import sink_in_use
from settings import Settings

# One checkpoint may fail, so that the next has to do: two intervals and a little.
CHECKPOINT_INTERVALS = 2
TOO_OLD = "the newest score on the boards is"
WIDE = 145  # columns in which a job's line has room
OLD_TOPIC = (
    "reads a topic that was deleted and made anew since the job began, and may have missed its "
    "first records; scripts/rebuild.sh computes all boards from the new one"
)
LISTED_IDS = 20
HISTORY_SECONDS = 180  # so old may the last minute of the history be: a long look may miss one
EMPTY = "has no rows yet"


@dataclass(frozen=True)
class Job:
    """A Flink job: its state, the seconds since its last completed checkpoint, its restarts.

    And, since it last started, the repeated events that it has dropped, the records that it has
    read and the rows that it has written, as Flink counts them every few seconds. Its lag is None
    when Kafka does not answer, and the rows when Flink does not count them. It is of an old topic
    when that was deleted and made anew, and it may have missed records. A job that is catching
    up has just started, and cannot hold yet what others must hold by now.
    """

    state: str
    checkpoint_age_seconds: float | None
    restarts: int
    duplicates: int
    lag: Lag | None = None
    records_read: int = 0
    rows_written: int | None = None
    is_catching_up: bool = False
    is_of_old_topic: bool = False

    def problems(self, settings: Settings) -> list[str]:
        """What is wrong with it, each as the rest of a sentence about it."""
        if self.state != "RUNNING":
            return [f"is {self.state}"]
        if self.is_of_old_topic:
            return [OLD_TOPIC]
        if self.is_catching_up:
            return []
        if self.checkpoint_age_seconds is None:
            return ["has no completed checkpoint yet"]
        found = []
        limit = late_seconds(settings)
        if self.checkpoint_age_seconds > limit:
            age = f"{self.checkpoint_age_seconds:.0f} s"
            found.append(f"completed its last checkpoint {age} ago")
        if self.lag and self.lag.overdue:
            found.append(f"has yet to read {self.lag.overdue:,} records older than {limit} s")
        return found


@dataclass(frozen=True)
class Status:
    """Everything that was asked, and what is wrong with it; healthy when nothing is.

    sink              the sink that the jobs write to; None when none of them runs
    ends              the offset up to which each partition can be read, by topic
    board_rows        the rows of each board, of all games, by its name
    board_age_seconds the age of its newest row; None for a board that carries no time. A board
                      that may be empty may also be old, and is left out
    late_events       events of the newest season that came too late for a board, where counted
    shared_ids        the last ids of events that two players used in a day; no problem of ours
    """

    sink: str | None = None
    services: dict[str, str] = field(default_factory=dict)
    jobs: dict[JobName, Job] = field(default_factory=dict)
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    board_rows: dict[str, int] = field(default_factory=dict)
    board_age_seconds: dict[str, float | None] = field(default_factory=dict)
    late_events: dict[str, int] = field(default_factory=dict)
    data_age_seconds: float | None = None
    shared_ids: list[SharedId] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """The status as plain JSON values; a job's key is its title."""
        jobs = {name.title: asdict(each) for name, each in self.jobs.items()}
        values = asdict(replace(self, jobs={}))
        return values | {"jobs": jobs, "is_healthy": self.is_healthy}


def status(settings: Settings) -> Status:
    """Ask everything once.

    What cannot be reached is no error, but a problem in the answer.
    """
    states = services.states(settings)
    problems = [f"{name} is {state}" for name, state in states.items() if state != "RUNNING"]
    problems += [f"upkeep of {each.duty}: {each.why}" for each in troubles.lasting(settings)]
    try:
        ids = running(settings)
        reading = _reading(ids, settings, problems)
        jobs = {name: _job(settings, name, ids[name], reading) for name in sorted(ids)}
    except JobError as error:
        gaps = lag.gaps(settings)
        problems += [*map(str, gaps), str(error)]
        return Status(services=states, gaps=gaps, problems=problems)
    gaps = lag.gaps(settings)
    problems += [*map(str, gaps), *_job_problems(jobs, settings)]
    sink_name = sink_of(jobs, settings)
    day_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    shared = [each for each in shared_ids.listed(settings) if each.recorded_at > day_ago]
    found = Status(
        sink_name,
        states,
        jobs,
        reading.ends,
        gaps,
        shared_ids=shared[:LISTED_IDS],
        problems=problems,
    )
    return _with_boards(found, sink_name, settings) if sink_name else found


def _with_boards(found: Status, sink_name: str, settings: Settings) -> Status:
    """The same, with what the boards hold, and what is wrong with them."""
    snapshots, problems = [], [*found.problems]
    for game in chosen(settings):
        try:
            snapshots.append(sink(sink_name, settings).read(game))
        except BoardsUnavailable as error:
            if str(error) not in problems:  # one store that is away is one problem
                problems.append(str(error))
    ages = [age for each in snapshots if (age := _age(each.as_of)) is not None]
    for snapshot in snapshots:
        length = savepoints.season_in_use(settings, snapshot.game.name, sink_name)
        problems += board_problems(snapshot, settings, length)
    problems += _history_problems(settings)
    boards = [(board, each) for each in snapshots for board in each.game.boards]
    return replace(
        found,
        board_rows={board.name: len(each.rows[board.name]) for board, each in boards},
        board_age_seconds={
            board.name: _age(each.newest(board))
            for board, each in boards
            if each.rows[board.name] and not board.may_be_empty
        },
        late_events={
            board.name: count
            for board, each in boards
            if (count := each.late_events(board)) is not None
        },
        data_age_seconds=min(ages, default=None),
        problems=problems,
    )


def board_problems(snapshot: Boards, settings: Settings, length: str | None = None) -> list[str]:
    """What is wrong with a game's boards, each as a sentence without its full stop.

    `length` is that of the season in the jobs, by default the one in the settings.
    """
    problems = [f"{name} {EMPTY}" for name in _empty(snapshot)]
    age = _age(snapshot.as_of)
    if age is not None and age > STALE_SECONDS:
        of = f" ({snapshot.game.name})" if len(chosen(settings)) > 1 else ""
        problems.append(f"{TOO_OLD} {age:.0f} s old{of}")
    for name, behind in snapshot.left_behind(settings.board_size).items():
        problems.append(
            f"{name} stands still: its newest score is {behind:.0f} s behind the others'"
        )
    return problems + _of_other_seasons(snapshot, season.SEASONS[length or settings.season])


def _history_problems(settings: Settings) -> list[str]:
    """Where the history is behind, whatever keeps the monitor from writing it.

    When its database is away, the upkeep tells.
    """
    problems = []
    for game in history.kept_games(settings):
        try:
            last = history.last_minute(game, settings)
        except BoardsUnavailable:
            continue
        age = _age(last)
        if last and age and age > HISTORY_SECONDS:
            problems.append(
                f"the history of {game.name} is {age / 60:.0f} min behind: its last minute is "
                f"{last:%Y-%m-%d %H:%M} UTC; the log of the monitor tells why"
            )
    return problems


def _of_other_seasons(snapshot: Boards, length: Season) -> list[str]:
    """Which boards show a season that the jobs add up no more, each as a sentence."""
    problems = []
    for board in snapshot.game.boards:
        start = snapshot.period_start(board)
        if start is None or snapshot.as_of is None or board.period != "season_start":
            continue
        # A board follows within moments of the first score of a new season.
        behind = snapshot.as_of - timedelta(seconds=LEFT_BEHIND_SECONDS)
        first, millis = (int(each.timestamp() * 1000) for each in (behind, start))
        if millis < length.start_of(first) or millis != length.start_of(millis):
            problems.append(
                f"{board.name} still shows the season from {start:%Y-%m-%d %H:%M} UTC, "
                f"with season={length.name} in its job"
            )
    return problems


def _empty(snapshot: Boards) -> list[str]:
    """The names of the boards that have no rows, and should have some."""
    return [board.name for board in _filling(snapshot.game.boards) if not snapshot.rows[board.name]]


def _filling(boards: Iterable[Board]) -> list[Board]:
    return [board for board in boards if not board.may_be_empty]


def _reading(names: Iterable[JobName], settings: Settings, problems: list[str]) -> Reading:
    try:
        return lag.look(settings, names, late_seconds(settings))
    except KafkaError as error:
        problems.append(f"Kafka does not answer at {settings.brokers} ({error})")
        return Reading()


def late_seconds(settings: Settings) -> int:
    """After so long a checkpoint is late, and a record that no checkpoint holds is overdue."""
    return settings.checkpoint_seconds * CHECKPOINT_INTERVALS + 10


def _job(settings: Settings, name: JobName, job_id: str, reading: Reading) -> Job:
    latest = flink.latest_checkpoint(settings, job_id)
    restarts = flink.rest(settings, "GET", f"/jobs/{job_id}/metrics?get=numRestarts")
    details = flink.rest(settings, "GET", f"/jobs/{job_id}")
    vertices = details["vertices"]
    sources = (vertex for vertex in vertices if vertex["name"].startswith("Source: "))
    job = Job(
        state=details["state"],
        checkpoint_age_seconds=(
            time.time() - latest["latest_ack_timestamp"] / 1000 if latest else None
        ),
        restarts=int(restarts[0]["value"]) if restarts else 0,
        duplicates=max((_dropped(settings, job_id, vertex) for vertex in vertices), default=0),
        lag=reading.lags.get(name),
        is_of_old_topic=name in reading.of_old_topics,
        records_read=sum(vertex["metrics"]["read-records"] for vertex in sources),
        rows_written=_written(settings, job_id, vertices),
    )
    age_seconds = (details["now"] - details["start-time"]) / 1000
    return replace(job, is_catching_up=is_catching_up(job, age_seconds, settings))


def is_catching_up(job: Job, age_seconds: float, settings: Settings) -> bool:
    """Whether a job that started so long ago has not yet had the time to hold all that it should.

    Its first checkpoint may be of a moment when it had read little of what was in the topic.
    """
    has_all = job.checkpoint_age_seconds is not None and not (job.lag and job.lag.overdue)
    return job.state == "RUNNING" and age_seconds < late_seconds(settings) and not has_all


def _written(settings: Settings, job_id: str, vertices: list[dict[str, Any]]) -> int | None:
    """What went into the sinks of the boards; None when Flink counts it nowhere."""
    counts = [
        count
        for vertex in vertices
        if (counters := written_counters(vertex["name"]))
        for count in _counts(settings, job_id, vertex, counters).values()
    ]
    return int(sum(counts)) if counts else None


def written_counters(vertex_name: str) -> list[str]:
    """Flink's names of the counters of rows that go into the sinks of a vertex.

    The operator that writes is called "Sink: top_teams[9]" for PostgreSQL, and "Sink: Writer" for
    Kafka, whatever it writes.
    """
    writers = dict.fromkeys(re.findall(r"Sink: (?:\w+\[\d+\]|Writer)", vertex_name))
    return [f"{writer.replace(': ', '__')}.numRecordsIn" for writer in writers]


def _dropped(settings: Settings, job_id: str, vertex: dict[str, Any]) -> int:
    """What an operator counts that drops repeated events: first_arrivals, in functions/."""
    operator = vertex["name"].split(" -> ")[0]  # such as "ProcessTableFunction[2]"
    if not operator.startswith("ProcessTableFunction"):
        return 0
    counter = f"{operator}.repetitions"
    return int(_counts(settings, job_id, vertex, [counter]).get(counter, 0))


def _counts(
    settings: Settings, job_id: str, vertex: dict[str, Any], counters: list[str]
) -> dict[str, float]:
    path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics?get={','.join(counters)}"
    return {counter["id"]: counter["sum"] for counter in flink.rest(settings, "GET", path)}


def _job_problems(jobs: dict[JobName, Job], settings: Settings) -> list[str]:
    asked = [
        (game.name, job)
        for game in chosen(settings)
        # Somebody else's Flink may run an application, which has one job for all boards.
        for job in (game.jobs if is_own(settings) else board_jobs(game))
    ]
    # A suspended job goes on in the sink that it wrote to, whatever the settings say now.
    target = sink_in_use(settings, jobs) or settings.sink
    wanted = computing(planned(asked, target, settings), settings)
    missing = wanted.keys() - computing(jobs, settings).keys()
    return [f"no job computes {job}" for job in sorted(missing)] + [
        f"job '{name}' {what}" for name, each in jobs.items() for what in each.problems(settings)
    ]


def _age(time_of: datetime | None) -> float | None:
    return time.time() - time_of.timestamp() if time_of else None


def first_rows(settings: Settings) -> list[str]:
    """The boards that have no rows yet, but for those that may be empty.

    Raises BoardsUnavailable when the boards cannot be read, and JobError when Flink is away.
    """
    name = sink_in_use(settings)
    if name is None:
        return [board.name for game in chosen(settings) for board in _filling(game.boards)]
    target = sink(name, settings)
    return [board for game in chosen(settings) for board in _empty(target.read(game))]


def table(found: Status, width: int = WIDE) -> Table:
    """The status as a person reads it, in so many columns."""
    lines = Table(show_header=False, box=None, pad_edge=False)
    for service, state in found.services.items():
        lines.add_row("service", service, _coloured(state, state == "RUNNING"))
    for name, job in found.jobs.items():
        lines.add_row(
            "job", escape(name.title), _coloured(_line(job, width < WIDE), job.state == "RUNNING")
        )
    for board, count in found.board_rows.items():
        is_good = f"{board} {EMPTY}" not in found.problems
        lines.add_row("board", board, _coloured(f"{count} rows", is_good))
    if found.data_age_seconds is not None:
        lines.add_row("data", "newest score", f"{found.data_age_seconds:.1f} s old")
    for shared in found.shared_ids[:1]:
        lines.add_row("event ids", "of two players", escape(_shared(shared)))
    for problem in found.problems:
        lines.add_row("problem", "", _coloured(problem, False))
    verdict = "healthy" if found.is_healthy else "not healthy"
    lines.add_row("", "", _coloured(verdict, found.is_healthy))
    return lines


def _shared(last: SharedId) -> str:
    place = f"{last.topic}-{last.partition}, offset {last.offset}"
    # A producer wrote them: what is in them must not steer the terminal.
    event_id, user_id, other = map(visible, (last.event_id, last.user_id, last.other_user_id))
    return f"the last: {event_id} of {user_id}, and before of {other} ({place}, {last.recorded_at})"


def _line(job: Job, is_narrow: bool) -> str:
    separator = ",\n" if is_narrow else ", "
    age = job.checkpoint_age_seconds
    checkpoint = "none yet" if age is None else f"{age:.0f} s ago"
    behind = f"{job.lag.records:,} records" if job.lag else "unknown"
    state = f"{job.state}, checkpoint {checkpoint}"
    if job.is_catching_up:
        state = f"{job.state}, catching up{separator}checkpoint {checkpoint}"
    parts = (
        state,
        f"lag {behind}, {counted(job.restarts, 'restart')}",
        f"{counted(job.duplicates, 'repeated event')} dropped",
    )
    return separator.join(parts)


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as 1 restart or 1,200 restarts."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _coloured(text: str, is_good: bool) -> str:
    return f"[{'green' if is_good else 'red'}]{escape(text)}[/]"
