"""Prints what arrives in a topic, from its first record on: python -m generator consume --help."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import closing, suppress

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from clients import kafka, registry
from clients.errors import SetupError, first_line
from clients.signs import printable
from generator import options
from generator.form import event_of, form_of, forms
from generator.stop import Stop
from settings import settings

POLL_MILLIS = 200
NEWS_MILLIS = 5_000  # after so long, a new topic or partition is noticed
# The consumer reports each failed attempt to reach a broker; it tries again by itself.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


def main(words: list[str] | None = None) -> int:
    """Print until Ctrl-C. Exit code 0: somebody stopped it, 1: no broker answers.

    Bad usage raises SystemExit(2).
    """
    given = _parser().parse_args(words)
    stop = Stop()
    stop.listen()
    try:
        return _consume(options.bootstrap(given), given.topic, given.print_n_msg, stop)
    except BrokenPipeError:  # the reader of the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except registry.RegistryUnavailable as error:
        print(f"consume: {error}", file=sys.stderr)
        return 1
    except (KafkaError, OSError, SetupError) as error:
        where = options.bootstrap(given)
        print(
            f"consume: Kafka at {where} cannot be read ({first_line(error)}). scripts/run_all.sh "
            "starts it; -b names another",
            file=sys.stderr,
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator consume",
        description="Prints what arrives in a topic, from its first record on; commits nothing.",
        epilog="Ctrl-C says how many messages there were, and ends.",
        formatter_class=options.Formatter,
    )
    parser.add_argument(
        "-t", "--topic", required=True, help="the Kafka topic; it is waited for if need be"
    )
    options.add_bootstrap(parser)
    parser.add_argument(
        "-p",
        "--print_n_msg",
        type=options.positive,
        default=1,
        metavar="N",
        help="print every N-th message; the first is always printed",
    )
    return parser


def _consume(brokers: str, topic: str, every: int, stop: Stop) -> int:
    consumer = kafka.client(
        KafkaConsumer,
        settings,
        bootstrap_servers=brokers.split(","),
        bootstrap_timeout_ms=kafka.ANSWER_SECONDS * 1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        metadata_max_age_ms=NEWS_MILLIS,
    )
    count = 0
    with closing(consumer):
        if topic not in consumer.topics():
            print(f"consume: waiting for the topic {topic} at {brokers}", file=sys.stderr)
        consumer.subscribe([topic])
        while not stop.is_asked():
            for records in consumer.poll(timeout_ms=POLL_MILLIS).values():
                for record in records:
                    if count % every == 0:
                        print(f"Consumed: {told(record.value)}", flush=True)
                    count += 1
    print(f"Consumed {count:,} message{'' if count == 1 else 's'}.", flush=True)
    return 0


def told(value: bytes | None) -> str:
    """A message in words, or as it is: on one line, in signs that cannot steer a terminal.

    Raises RegistryUnavailable for one in Avro.
    """
    if value is None:
        return "nothing (a tombstone)"
    with suppress(ValueError):
        value = registry.as_json(settings, value)
    event = event_of(value)
    form = forms().get(form_of(event) or "") if event else None
    sentence = form.sentence(event) if form and event else None
    return printable(sentence or value.decode(errors="replace"))
