"""What the boards must show for a topic of millions of records: the rules of tests/oracle.py, added up in arrays.

A plain event is read here; whatever is unusual in a message, tests/oracle.py reads. Arrays find the rows that can be
on a board, and tests/oracle.py makes the board of them. An event and its repetition are in one partition.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import orjson

from tests import oracle
from tests.oracle import Event, Record, Total, Totals

PLACES = 100
READERS = 2


@dataclass(frozen=True)
class Fold:
    """The accepted events in order of arrival, one array for each field; players and teams by number, sorted by id."""

    players: list[str]
    teams: list[str]
    texts: list[tuple[str | None, str]]  # the user_name and team_name of events, by number
    names: dict[str, tuple[str, str, str]]  # by user_id: user_name, team_id, team_name, the latest
    player: np.ndarray
    team: np.ndarray
    text: np.ndarray
    score: np.ndarray
    time: np.ndarray
    rejected: int
    repeated: int

    @property
    def events(self) -> int:
        """How many events count."""
        return len(self.player)


def fold(brokers: str, topic: str, ends: dict[int, int], is_deduplicated: bool = True) -> Fold:
    """Read a topic up to these offsets, by partition."""
    arguments = [(brokers, topic, partition, end, is_deduplicated) for partition, end in ends.items()]
    with ProcessPoolExecutor(READERS, multiprocessing.get_context("spawn")) as pool:
        return joined(list(pool.map(_read, arguments)))


def _read(given: tuple) -> Part:
    brokers, topic, partition, end, is_deduplicated = given
    part = Part(is_deduplicated)
    for record in _records(brokers, topic, partition, end):
        part.take(record)
    return part.packed()


def _records(brokers: str, topic: str, partition: int, end: int) -> Iterator[Record]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "benchmark-oracle", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    position = 0
    while position < end:
        for message in consumer.consume(10_000, timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            position = message.offset() + 1
            if position <= end:
                yield Record(partition, message.offset(), message.timestamp()[1], message.value())
    consumer.close()


class Part:
    """The accepted events of a partition."""

    def __init__(self, is_deduplicated: bool = True) -> None:
        self._is_deduplicated = is_deduplicated
        self._seen: set[str] = set()
        self.numbers: dict[str, dict] = {"user": {}, "team": {}, "text": {}}  # of what the columns of these names hold
        self.names: dict[str, tuple[str, str, str]] = {}
        self.columns: dict[str, list | np.ndarray] = {name: [] for name in (*self.numbers, "score", "time")}
        self.rejected = self.repeated = 0

    def take(self, record: Record) -> None:
        """Add the next record, unless it does not count."""
        try:
            event_id, user, name, team, team_name, score, time = _fields(record)
        except oracle.Rejected:
            self.rejected += 1
            return
        if event_id and self._is_deduplicated:
            if event_id in self._seen:
                self.repeated += 1
                return
            self._seen.add(event_id)
        known = self.names.get(user)
        self.names[user] = name or (known[0] if known else user), team, team_name
        for column, value in (("user", user), ("team", team), ("text", (name, team_name))):
            numbers = self.numbers[column]
            self.columns[column].append(numbers.setdefault(value, len(numbers)))
        self.columns["score"].append(score)
        self.columns["time"].append(time)

    def packed(self) -> Part:
        """The same with arrays, and without what is not needed any more."""
        self.columns = {name: np.array(values, np.int64) for name, values in self.columns.items()}
        self._seen.clear()
        return self


def joined(parts: list[Part]) -> Fold:
    """The packed parts as one."""
    players = sorted({user for part in parts for user in part.numbers["user"]})
    teams = sorted({team for part in parts for team in part.numbers["team"]})
    texts = list({text: None for part in parts for text in part.numbers["text"]})
    columns = {"score": [part.columns["score"] for part in parts], "time": [part.columns["time"] for part in parts]}
    for name, listed in (("user", players), ("team", teams), ("text", texts)):
        place = {each: number for number, each in enumerate(listed)}
        columns[name] = [
            np.array([place[each] for each in part.numbers[name]], np.int32)[part.columns[name]] for part in parts
        ]
    whole = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    return Fold(
        players,
        teams,
        texts,
        {user: names for part in parts for user, names in part.names.items()},
        whole["user"],
        whole["team"],
        whole["text"],
        whole["score"],
        whole["time"],
        sum(part.rejected for part in parts),
        sum(part.repeated for part in parts),
    )


def _fields(record: Record) -> tuple:
    """The fields of an accepted event. Raises Rejected."""
    value, recorded = record.value, record.timestamp
    if value and b"\\" not in value:
        try:
            fields = orjson.loads(value)
            user, team, team_name = fields["user_id"], fields["team_id"], fields["team_name"]
            score, time = fields["score"], fields["event_time_millis"]
            event_id, name = fields["event_id"], fields["user_name"]
            texts = (user, team, team_name, name, event_id)
            is_plain = (
                all(type(text) is str and len(text.strip()) >= 1 and len(text) <= 128 for text in texts)
                and type(score) is type(time) is int
                and 0 <= score <= 1_000_000
                and recorded - 24 * oracle.HOUR <= time <= recorded + 60 * oracle.SECOND
            )
        except (orjson.JSONDecodeError, KeyError, TypeError):
            is_plain = False
        if is_plain:
            return event_id, user, name, team, team_name, score, min(time, recorded)
    event = oracle.read(record)
    return (
        event.event_id,
        event.user_id,
        event.user_name,
        event.team_id,
        event.team_name,
        event.score,
        event.time,
    )


def boards(folded: Fold, season: str = "day") -> dict[str, list[dict]]:
    """The three boards of totals, as a reader must see them."""
    newest = oracle.season_start(int(folded.time.max()), season)
    held = np.nonzero(folded.time >= newest)[0] if season != "all" else np.arange(folded.events)
    player, team, score, time = (each[held] for each in (folded.player, folded.team, folded.score, folded.time))
    totals = Totals(newest)
    players = _sums(player, score, time, len(folded.players))
    for number in _best(players.score, players.reached_at):
        user = folded.players[number]
        name, team_id, team_name = folded.names[user]
        totals.players[user] = Total(
            int(players.score[number]), int(players.reached_at[number]), name, team_id, team_name
        )
    teams = _sums(team, score, time, len(folded.teams))
    listed = _best(teams.score, teams.reached_at)
    team_names = {known[1]: known[2] for known in folded.names.values()}
    for number in listed:
        team_id = folded.teams[number]
        totals.teams[team_id] = Total(
            int(teams.score[number]), int(teams.reached_at[number]), team_name=team_names[team_id]
        )
    made = {"top_players": oracle.top_players(totals), "top_teams": oracle.top_teams(totals)}
    return made | {"team_mvps": _mvps(folded, newest, player, team, score, teams.score, team_names)}


def everybody(folded: Fold, season: str = "day") -> dict[str, int]:
    """How many players have a total in the newest season, and all their points."""
    held = folded.time >= oracle.season_start(int(folded.time.max()), season)
    return {"players": len(np.unique(folded.player[held])), "points": int(folded.score[held].sum())}


@dataclass(frozen=True)
class _Sums:
    score: np.ndarray
    reached_at: np.ndarray
    is_there: np.ndarray


def _sums(keys: np.ndarray, score: np.ndarray, time: np.ndarray, count: int) -> _Sums:
    latest = np.full(count, -1, np.int64)
    np.maximum.at(latest, keys, time)
    # Sums of whole numbers far below 2^53 are exact.
    return _Sums(np.bincount(keys, score, count).astype(np.int64), latest, latest >= 0)


def _best(score: np.ndarray, reached_at: np.ndarray) -> list[int]:
    """The numbers of the best, by the boards' whole order: score, who was first, id."""
    order = np.lexsort((np.arange(len(score)), reached_at, -score))
    return [int(number) for number in order if reached_at[number] >= 0][:PLACES]


def _mvps(
    folded: Fold,
    season: int,
    player: np.ndarray,
    team: np.ndarray,
    score: np.ndarray,
    team_total: np.ndarray,
    team_names: dict[str, str],
) -> list[dict]:
    pairs, at = np.unique(team.astype(np.int64) * len(folded.players) + player, return_inverse=True)
    total = np.bincount(at, score, len(pairs)).astype(np.int64)
    of_team, of_player = pairs // len(folded.players), pairs % len(folded.players)
    order = np.lexsort((of_player, -total, of_team))
    first = order[np.unique(of_team[order], return_index=True)[1]]
    first = first[team_total[of_team[first]] > 0]
    share = total[first] / team_total[of_team[first]]
    best = first[np.lexsort((of_team[first], -total[first], -share))][:PLACES]
    totals = Totals(season)
    for number in best.tolist():
        team_id, user = folded.teams[of_team[number]], folded.players[of_player[number]]
        totals.teams[team_id] = Total(int(team_total[of_team[number]]), team_name=team_names[team_id])
        totals.members[team_id, user] = Total(int(total[number]), user_name=folded.names[user][0])
    return oracle.team_mvps(totals)


def hot_streaks(folded: Fold, window_end: int) -> list[dict]:
    """The streaks of the window that ends then (epoch milliseconds)."""
    inside = np.nonzero((folded.time >= window_end - 60 * oracle.SECOND) & (folded.time < window_end))[0]
    player, score, time = folded.player[inside], folded.score[inside], folded.time[inside]
    short = time >= window_end - 10 * oracle.SECOND
    count = len(folded.players)
    long_events, long_score = np.bincount(player, minlength=count), np.bincount(player, score, count)
    short_events = np.bincount(player[short], minlength=count)
    short_score = np.bincount(player[short], score[short], count)
    hot = np.nonzero((short_events >= 3) & (long_score > 0))[0]
    hotness = (short_score[hot] / short_events[hot]) / (long_score[hot] / long_events[hot])
    chosen = hot[np.lexsort((hot, -long_events[hot], -hotness))][:PLACES]
    kept = np.isin(player, chosen)
    events = [
        Event(None, folded.players[user], name, "", team_name, int(points), int(at), int(at))
        for user, text, points, at in zip(player[kept], folded.text[inside][kept], score[kept], time[kept], strict=True)
        for name, team_name in [folded.texts[text]]
    ]
    return oracle.hot_streaks(events, window_end)
