"""A Flink inside the test's own Java, with the functions on its class path."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from jobs import environment as flink_environment
from settings import Settings


@pytest.fixture(scope="session")
def flink(java_state):
    """A TableEnvironment that runs bounded SQL where it is, with one task of everything."""
    own = flink_environment.table_environment(Settings(state_folder=str(java_state)))
    own.get_config().set("execution.target", "local")
    own.get_config().set("rest.port", "0")  # any that is free
    own.get_config().set("rest.bind-port", "0")
    # A watermark with each row: not the machine's speed, but the rows' times decide what ticks.
    own.get_config().set("pipeline.auto-watermark-interval", "0 ms")
    own.get_config().set("execution.checkpointing.interval", "1 h")
    # A job that waits for a last checkpoint may wait for that hour.
    own.get_config().set("execution.checkpointing.checkpoints-after-tasks-finish", "false")
    own.get_config().set("execution.checkpointing.dir", f"file://{java_state}/checkpoints")
    own.get_config().set("restart-strategy.type", "none")
    flink_environment.define_functions(own)
    return own


INTEGERS = {"number", "time"}  # rules whose columns are BIGINT


@pytest.fixture(scope="session")
def decoder_of(flink) -> Callable[[Mapping[str, str], Mapping[str, str]], Callable]:
    """Makes what reads messages by rules, and by options of a registry, in checked-json.

    What is read are the fields as a dictionary, with `reason` and `message`.
    """
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import to_jarray

    jvm = get_gateway().jvm
    types = jvm.org.apache.flink.table.api.DataTypes

    def make(rules: Mapping[str, str], registry: Mapping[str, str]) -> Callable:
        options = jvm.org.apache.flink.configuration.Configuration()
        for name, rule in rules.items():
            options.setString(f"fields.{name}", rule)
        for name, text in registry.items():
            options.setString(f"registry.{name}", text)
        columns = [
            types.FIELD(name, types.BIGINT() if INTEGERS & set(rule.split()) else types.STRING())
            for name, rule in rules.items()
        ]
        form = jvm.leaderboard.functions.CheckedJsonFormat().createDecodingFormat(None, options)
        form.applyReadableMetadata(["reason", "message"])
        context = "org.apache.flink.table.runtime.connector.source.ScanRuntimeProviderContext"
        instance = jvm.java.lang.Class.forName(context).getField("INSTANCE").get(None)
        decoder = form.createRuntimeDecoder(instance, types.ROW(to_jarray(types.Field, columns)))
        decoder.open(None)

        def decode(message: bytes | None) -> dict:
            row = decoder.deserialize(message)
            names = [*rules, "reason", "message"]
            fields = {name: row.getField(place) for place, name in enumerate(names)}
            return {
                name: value if value is None or isinstance(value, int) else value.toString()
                for name, value in fields.items()
            }

        return decode

    return make
