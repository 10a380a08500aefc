"""The event source of the score game: teams that come and go, and players in and out of form."""

from generator.form import Form
from generator.score.command import main
from settings import settings

FORM = Form(
    topic=settings.topic,
    fields=("user_id", "team_id", "score", "event_time_millis"),
    key="user_id",
    time="event_time_millis",
    numbers=("score", "event_time_millis"),
)

__all__ = ["FORM", "main"]
