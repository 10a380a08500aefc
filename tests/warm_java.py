"""A Java for many commands, one after the other: python -m tests.warm_java.

It prints the port by which PyFlink finds it, as `PYFLINK_GATEWAY_PORT`, and ends with its input. A
command's own Java would spend most of its time on loading and compiling the planner.
"""

import sys

from pyflink.java_gateway import get_gateway

from jobs import environment
from settings import settings

environment.table_environment(settings)
jvm = get_gateway().jvm
# Beside the server for this process, which ends Java when the process that it has served ends.
server = jvm.org.apache.flink.api.python.shaded.py4j.GatewayServer(
    jvm.java.util.concurrent.ConcurrentHashMap(), 0
)
server.start()
print(server.getListeningPort(), flush=True)
sys.stdin.read()
