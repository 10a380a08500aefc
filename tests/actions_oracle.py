"""The boards of the actions game, and the score events that actions become, in plain Python."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from settings import PROJECT
from tests import oracle
from tests.oracle import HOUR, SECOND, Record, moment

LISTED = {
    each["action"]: each
    for each in json.loads((PROJECT / "data" / "actions.json").read_text())["actions"]
}
FIELD_OF = {"move": "direction", "attack": "target"}  # of the others it is named like the action
TEXTS = ("action", "direction", "target", "collect_item", "use_item")
FIELDS = (*TEXTS, "action_id", "user_id", "user_name", "team_id", "team_name", "event_time_millis")
MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Action:
    """An accepted action; its effective and its record's time are in epoch milliseconds."""

    action_id: str | None
    user_id: str
    user_name: str | None
    team_id: str
    team_name: str
    action: str
    target: str
    time: int
    recorded: int
    place: str

    @property
    def minute(self) -> int:
        """The start of its minute."""
        return self.time - self.time % MINUTE


def read(record: Record, max_late_hours: int = 24) -> Action:
    """The action that a record holds. Raises Rejected with the first reason that applies."""
    fields = oracle.fields_of(record.value, FIELDS)
    action = oracle.id_of(fields["action"], "action")
    given = {name: _short(fields[name], name) for name in TEXTS[1:]}
    oracle.require(fields["user_id"] is not None, "without a player")
    user_id = oracle.id_of(fields["user_id"], "user_id")
    user_name = fields["user_name"] if type(fields["user_name"]) is str else ""
    oracle.require_storable(user_name, "user_name", 200)
    team_id = oracle.id_of(fields["team_id"], "team_id")
    team_name = oracle.text_of(fields["team_name"], "team_name")
    oracle.require_storable(team_name, "team_name", 200)
    time = oracle.whole_number(fields["event_time_millis"], "event_time_millis")
    oracle.require(action in LISTED, "action unknown")
    field = FIELD_OF.get(action, action)
    oracle.require(given[field] in LISTED[action]["values"], f"{field} unknown")
    oracle.require(time <= record.timestamp + MINUTE, "event_time_millis in the future")
    earliest = record.timestamp - max_late_hours * HOUR
    oracle.require(time >= earliest, "event_time_millis too old")
    action_id = fields["action_id"] if type(fields["action_id"]) is str else ""
    return Action(
        action_id or None,
        user_id,
        user_name or None,
        team_id,
        team_name or team_id,
        action,
        given[field] or "nothing",
        min(int(time), record.timestamp),
        record.timestamp,
        f"{record.partition}:{record.offset}",
    )


def _short(value: object, name: str) -> str:
    text = oracle.text_of(value, name)
    oracle.require_storable(text, name, 128)
    return text


def accepted(records: Iterable[Record], minutes: int = 10) -> list[Action]:
    """The actions that count: of a player's with one action_id, the first within some minutes."""
    return oracle.first_arrivals(
        records, read, lambda each: (each.user_id, each.action_id), minutes
    )


def rejected(records: Iterable[Record]) -> dict[tuple[int, int], str]:
    """The reason of every rejected record, by its partition and offset."""
    return oracle.reasons_of(records, read)


def score_events(actions: Iterable[Action], topic: str) -> dict[tuple[str, str], dict]:
    """The score event that each action becomes, by its player and id."""
    events = {}
    for each in actions:
        number = each.place
        event_id = f"action {each.action_id}" if each.action_id else f"action at {topic}-{number}"
        events[each.user_id, event_id] = {
            "event_id": event_id,
            "user_id": each.user_id,
            "user_name": each.user_name,
            "team_id": each.team_id,
            "team_name": each.team_name,
            "score": LISTED[each.action]["points"],
            "event_time_millis": each.time,
            "event_type": "normal",
        }
    return events


def actions_by_kind(actions: list[Action]) -> list[dict]:
    """Kinds of actions by how often they were done in the newest minute and the one before."""
    return _board(actions, lambda each: {"action": each.action})


def actions_by_target(actions: list[Action]) -> list[dict]:
    """The same by what they were done to."""
    return _board(actions, lambda each: {"action": each.action, "target": each.target})


def actions_by_team(actions: list[Action]) -> list[dict]:
    """The same by team; no team has two names within these minutes."""
    return _board(actions, lambda each: {"team_id": each.team_id, "team_name": each.team_name})


def _board(actions: list[Action], key_of: Callable[[Action], dict]) -> list[dict]:
    newest = max(each.minute for each in actions)
    recent = [each for each in actions if each.minute >= newest - MINUTE]
    keys = {tuple(key_of(each).values()): key_of(each) for each in recent}
    now = Counter(tuple(key_of(each).values()) for each in recent if each.minute == newest)
    both = Counter(tuple(key_of(each).values()) for each in recent)
    rows = [
        key
        | {
            "recent_actions": both[values],
            "this_minute": now[values],
            "minute_before": both[values] - now[values],
            "reached_at": moment(
                max(each.time for each in recent if tuple(key_of(each).values()) == values)
            ),
            "minute_start": moment(newest),
        }
        for values, key in keys.items()
    ]
    return oracle.ranked(rows, "recent_actions", lambda row: tuple(row.values())[:-5])[:100]
