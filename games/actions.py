"""The actions game: players move, attack, collect items and use them, and score points for it.

Each action is worth points, which become score events of the score game. docs/actions.md says what
its events and boards promise, and data/actions.json which actions there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from games.board import Board, Entity, Feed, Game, Injector, Kept, Table
from games.score import AHEAD_MILLIS, HIGHEST_SCORE, ID_LENGTH, NAME_LENGTH
from games.season import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from settings import PROJECT, SettingError, Settings

LISTED = PROJECT / "data" / "actions.json"
TOPIC = "player-actions"
# The field of an event that says with what an action is done. An action that is not among these
# needs a field of its own in sql/actions/sources/.
FIELD_OF = {
    "move": "direction",
    "attack": "target",
    "collect_item": "collect_item",
    "use_item": "use_item",
}


@dataclass(frozen=True)
class Action:
    """What players may do: with what, for how many points, and how often beside the others."""

    name: str
    values: tuple[str, ...]
    points: int
    weight: float


@cache
def listed(path: Path = LISTED) -> tuple[Action, ...]:
    """The actions that a file lists.

    Raises SettingError, which names the line, for a file that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text)["actions"]
    except json.JSONDecodeError as error:
        raise SettingError(f"{_named(path)}, line {error.lineno}: {error.msg}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f'{_named(path)} has no list of "actions": {error!r}') from None
    lines = [text.count("\n", 0, each.start()) + 1 for each in re.finditer(r'"action"\s*:', text)]
    if len(lines) != len(entries) or not entries:
        raise SettingError(f'{_named(path)}: each of its actions needs one "action", a name')
    actions: list[Action] = []
    for line, entry in zip(lines, entries, strict=True):
        try:
            actions.append(_action(entry, actions))
        except ValueError as error:
            raise SettingError(f"{_named(path)}, line {line}: {error}") from None
    return tuple(actions)


def _named(path: Path) -> Path:
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path


def _action(entry: dict[str, Any], others: Iterable[Action]) -> Action:
    """The action that an entry of the file describes. Raises ValueError."""
    wanted = {"action", "values", "points", "weight"}
    if entry.keys() != wanted:
        raise ValueError(f"an action has {', '.join(sorted(wanted))}, and nothing else")
    name, values, points, weight = (
        entry[each] for each in ("action", "values", "points", "weight")
    )
    if name not in FIELD_OF:
        raise ValueError(f"there is no action {name!r}; known are {', '.join(FIELD_OF)}")
    if name in {each.name for each in others}:
        raise ValueError(f"{name} is listed twice")
    if not (isinstance(values, list) and values and all(map(_is_value, values))):
        raise ValueError(f"the values of {name} must be a list of short texts")
    taken = [value for each in others for value in each.values]
    twice = [value for value in values if value in taken or values.count(value) > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} is listed twice among the values")
    if type(points) is not int or not 0 <= points <= HIGHEST_SCORE:
        raise ValueError(f"the points of {name} must be a whole number from 0 to {HIGHEST_SCORE}")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < 1e9:
        raise ValueError(f"the weight of {name} must be a number of 0 or more")
    return Action(name, tuple(values), points, weight)


def _is_value(value: object) -> bool:
    return isinstance(value, str) and len(value) <= ID_LENGTH and value.isprintable()


KIND = Entity("Action", "action", "action")
TARGET = Entity("Target", "target", "target", beside="action")
TEAM = Entity("Team", "team_id", "team_name")

# Only two minutes are shown; more is kept for whoever draws a line.
KEPT = Kept("minute_start", HOUR_MILLIS)
NOTHING_DONE = "No action yet"

TWO_MINUTES = "this minute and the one before"


def _counted(
    name: str,
    by: tuple[str, ...],
    title: str,
    entity: Entity,
    accent: str,
    question: str = TWO_MINUTES,
) -> Board:
    """A board of how many actions there were, by these columns."""
    return Board(
        name=name,
        key=("minute_start", *by),
        grows=("actions", "reached_at"),
        kept=KEPT,
        job="action_counts",
        value="recent_actions",
        label="Actions",
        title=title,
        question=question,
        entity=entity,
        accent=accent,
        newest="reached_at",
        why_empty=NOTHING_DONE,
    )


ACTIONS_BY_KIND = _counted("actions_by_kind", ("action",), "Actions by kind", KIND, "blue")
ACTIONS_BY_TARGET = _counted(
    "actions_by_target",
    ("action", "target"),
    "Actions by target",
    TARGET,
    "teal",
    question=f"where to, whom, which item; {TWO_MINUTES}",
)
ACTIONS_BY_TEAM = _counted("actions_by_team", ("team_id",), "Actions by team", TEAM, "orange")
REJECTED_ACTIONS = Table(
    name="rejected_actions",
    key=("event_topic", "event_partition", "event_offset"),
    kept=Kept("rejected_at", 7 * DAY_MILLIS),
    archived_by="rejected_at",
    job="action_counts",
    appends=True,
)
ACTION_SCORES = Feed(name="action_scores", key=("user_id",), to="score")


def _values(settings: Settings) -> dict[str, object]:
    actions = listed()
    return {
        "id_length": ID_LENGTH,
        "name_length": NAME_LENGTH,
        "ahead_millis": AHEAD_MILLIS,
        "minute_millis": MINUTE_MILLIS,
        "deduplicate_minutes": settings.deduplicate_minutes,
        "known_actions": ", ".join(_text(each.name) for each in actions),
        "known_values": ", ".join(
            _text(f"{each.name} {value}") for each in actions for value in each.values
        ),
        "points": ", ".join(
            f"ROW(CAST({_text(each.name)} AS STRING), CAST({each.points} AS BIGINT))"
            for each in actions
        ),
    }


def _text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _injector_words(settings: Settings) -> list[str]:
    listed()  # a wrong file is told before anything starts
    return ["--loop", "--rate", str(settings.rate_per_second)]


GAME = Game(
    name="actions",
    title="Actions",
    topic=lambda settings: TOPIC,
    tables=(ACTIONS_BY_KIND, ACTIONS_BY_TARGET, ACTIONS_BY_TEAM, REJECTED_ACTIONS),
    feeds=(ACTION_SCORES,),
    sources=(
        "action_messages.sql",
        "classified_actions.sql",
        "valid_actions.sql",
        "accepted_actions.sql",
    ),
    values=_values,
    rejects=REJECTED_ACTIONS.name,
    injector=Injector(_injector_words, lambda settings: {}),
)
