"""Webhooks: what is posted, signed and listed. A server of ours stands for those of others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tenacity import RetryCallState

from boards import deliveries, webhooks
from boards.deliveries import NotTaken, Refused
from boards.webhooks import Webhook
from clients.errors import SetupError
from settings import Settings
from tests.conftest import free_ports
from tests.receiving import Receiving, receiver

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOSTILE = "<!channel> @everyone <@U123> *b* _i_ [x](http://y) `c` &amp; ||s|| # h \\ :smile:"


def announcement(name: str = "Ada") -> dict[str, Any]:
    return {
        "announcement_number": 7,
        "announcement_id": "6f0dbb0e-0b0a-4c55-9d5c-3a7f5f1c9e21",
        "announced_at": AT,
        "kind": "leader",
        "sentence": f"{name} now leads Top players (1,451 points).",
        "entity_name": name,
        "banned_at": None,
    }


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with receiver() as found:
        yield found


# What is posted


def test_slack_gets_plain_text_without_mentions():
    post = webhooks.FORMS["slack"](announcement(HOSTILE))
    (block,) = post["blocks"]
    assert block["text"]["type"] == "plain_text"
    for text in (post["text"], block["text"]["text"]):
        assert text.startswith("&lt;!channel&gt; @everyone &lt;@U123&gt; *b*")
        assert "&amp;amp;" in text and "<" not in text
    assert (post["mrkdwn"], post["link_names"], post["parse"]) == (False, False, "none")


def test_discord_gets_every_sign_as_it_is_and_mentions_nobody():
    post = webhooks.FORMS["discord"](announcement(HOSTILE))
    assert post["content"].startswith(r"\<\!channel\> \@everyone \<\@U123\> \*b\* \_i\_ \[x\]")
    assert r"\|\|s\|\| \# h \\ \:smile\:" in post["content"]
    assert post["content"].replace("\\", "").startswith("<!channel> @everyone <@U123> *b* _i_")
    assert post["allowed_mentions"] == {"parse": []}


def test_json_has_every_value_with_times_in_milliseconds():
    assert webhooks.FORMS["json"](announcement()) == announcement() | {
        "announced_at": 1795780800000
    }


def test_a_post_is_signed_as_the_standard_webhooks_are(receiving):
    Webhook("json", receiving.url, b"secret").send(announcement())
    ((headers, body),) = receiving.posts
    assert json.loads(body)["sentence"] == announcement()["sentence"]
    assert headers["webhook-id"] == announcement()["announcement_id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(b"secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert "Authorization" not in headers


def test_without_a_secret_nothing_is_signed(receiving):
    Webhook("slack", receiving.url).send(announcement())
    ((headers, _),) = receiving.posts
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((each, NotTaken) for each in (408, 425, 429, 500, 503)),
        *((each, Refused) for each in (301, 307, 400, 401, 404, 410)),
    ],
)
def test_what_is_not_taken_may_be_taken_later_unless_it_is_refused(receiving, status, error):
    receiving.answer = status
    receiving.headers = {"Location": receiving.url, "Retry-After": "7"}
    with pytest.raises(error, match=f"it answers {status}") as found:
        Webhook("json", receiving.url).send(announcement())
    assert len(receiving.posts) == 1
    assert getattr(found.value, "wait_seconds", 7) == 7


def test_nobody_who_answers_is_a_sentence_without_the_address(receiving, monkeypatch):
    monkeypatch.setattr(webhooks, "READ_SECONDS", 0.2)
    receiving.answer = None
    with pytest.raises(NotTaken, match="does not answer within"):
        Webhook("json", receiving.url).send(announcement())
    (port,) = free_ports(1)
    with pytest.raises(NotTaken, match=r"^it cannot be reached$") as found:
        Webhook("json", f"http://127.0.0.1:{port}/secret").send(announcement())
    assert found.value.__cause__ is None


def test_a_webhook_is_called_by_what_is_no_secret():
    one, other = (Webhook("slack", f"https://hooks.slack.com/services/{each}") for each in "ab")
    assert one.name != other.name
    assert one.name.startswith("hooks.slack.com ") and len(one.name) == 24
    assert "services" not in repr(one) + one.name


def test_waits_grow_and_are_at_least_as_long_as_asked_for():
    def wait(attempt: int, asked: float = 0) -> float:
        state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
        state.attempt_number = attempt
        state.set_exception((NotTaken, NotTaken("it answers 503", asked), None))  # type: ignore[arg-type]
        return deliveries._wait(state)

    waits = [wait(number) for number in range(1, 9)]
    assert waits == sorted(waits)
    assert 1 <= waits[0] <= 2 and 128 <= waits[-1] <= 129
    assert wait(20) == deliveries.LONGEST_WAIT_SECONDS
    assert (wait(1, asked=40), wait(1, asked=10**6)) == (40, deliveries.LONGEST_WAIT_SECONDS)


# The file


def listed(tmp_path, text: str, mode: int = 0o600, secret: str | None = None) -> list[Webhook]:
    file, secret_file = tmp_path / "webhooks", tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    own: dict[str, Any] = {"webhooks_file": str(file)}
    if secret is not None:
        secret_file.write_text(secret)
        secret_file.chmod(0o600)
        own["webhook_secret_file"] = str(secret_file)
    return webhooks.read(Settings(**own))


def test_a_form_is_given_or_that_of_the_host(tmp_path):
    text = """
    # comment
    https://hooks.slack.com/services/a
    https://discord.com/api/webhooks/b
      slack https://mattermost.example/hooks/c

    https://game.example/d?e=f
    json http://localhost:9000/g
    http://127.0.0.1:9000/h
    http://127.0.0.1:9000/h
    """
    forms = [each.form for each in listed(tmp_path, text)]
    assert forms == ["slack", "discord", "slack", "json", "json", "json"]
    assert webhooks.read(Settings()) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("http://game.example/secret", "must begin with https://, or lead to this machine"),
        ("ftp://game.example/secret", "must begin with https://"),
        ("mail https://game.example/secret", "the form must be one of slack, discord, json"),
        ("https://user:secret@game.example/", "it must be an address"),
        ("slack json https://game.example/secret", "it must be an address"),
        ("secret", "it must be an address"),
        ("https://[secret", "it must be an address"),
        ("https://game.example:secret/", "it must be an address"),
    ],
)
def test_a_line_that_is_no_webhook_is_told_by_its_number(tmp_path, line, says):
    with pytest.raises(SetupError, match="LEADERBOARD_WEBHOOKS_FILE, line 2") as refused:
        listed(tmp_path, f"# comment\n{line}")
    assert says in str(refused.value) and "secret" not in str(refused.value)


def test_files_of_secrets_are_for_their_owner_only(tmp_path):
    for mode in (0o640, 0o604, 0o644):
        with pytest.raises(SetupError, match=r"WEBHOOKS_FILE: others may read .* Run chmod 600"):
            listed(tmp_path, "https://game.example/", mode)
    with pytest.raises(SetupError, match="WEBHOOKS_FILE cannot be read"):
        webhooks.read(Settings(webhooks_file=str(tmp_path / "nowhere")))


def test_a_secret_is_a_text_or_base64(tmp_path):
    (one,) = listed(tmp_path, "https://game.example/", secret=" some text\n")
    assert one.secret == b"some text"
    (one,) = listed(tmp_path, "https://game.example/", secret="whsec_c29tZSB0ZXh0\n")
    assert one.secret == b"some text"
    for wrong in ("", "whsec_", "whsec_%"):
        with pytest.raises(SetupError, match="WEBHOOK_SECRET_FILE must hold a secret"):
            listed(tmp_path, "https://game.example/", secret=wrong)


def test_a_change_of_the_files_is_noticed(tmp_path):
    file = tmp_path / "webhooks"
    settings = Settings(webhooks_file=str(file))
    before = webhooks.stamp(settings)
    file.write_text("")
    assert webhooks.stamp(settings) != before
