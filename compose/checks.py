"""What must hold before anything is started: settings that fit together, free ports, room."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from pathlib import Path

from boards import schemas, webhooks
from boards.kafka import check_topics
from clients.errors import SetupError
from compose import flink, services
from games import chosen
from settings import PREFIX, SETTINGS, SettingError, Settings

FREE_DISK_MB = 2048  # topic, checkpoints and logs of a day at the default rate
# A shell, the Java that is told a list of folders, or a pattern of file names reads these.
UNREADABLE = ':"$`\\*?[]\x7f'


def check(settings: Settings) -> None:
    """Raise SetupError or SettingError when the services cannot be started.

    They run already, others could open the page unasked, settings do not fit together, the data
    is an earlier version's, the disk is nearly full, or a port is taken.
    """
    if services.is_up(settings):
        raise SetupError("it is running already")
    if left := services.orphans(settings):
        raise SetupError(
            f"{', '.join(left)} still run, though their supervisor was killed: "
            "scripts/stop.sh first"
        )
    settings.check_login()
    check_topics(chosen(settings), settings)
    schemas.check(chosen(settings), settings)
    flink.check_memory(settings)
    _check_files(settings)
    webhooks.read(settings)
    for folder in (settings.state, Path(sys.prefix)):
        _check_path(folder)
    _make_state_folder(settings)
    services.check_data(settings)
    free = shutil.disk_usage(settings.state).free // 2**20
    if free < FREE_DISK_MB:
        raise SetupError(
            f"only {free} MB are free at {settings.state}; {FREE_DISK_MB} MB are needed. "
            "Make room there."
        )
    _check_ports(settings)


def check_state_folder(settings: Settings) -> None:
    """Raise SettingError when there is something in the state folder's place that cannot be it."""
    folder = settings.state
    if os.path.lexists(folder) and not (folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)):
        raise _no_state_folder(
            folder, "you may not read it" if folder.is_dir() else "it is no folder"
        )


def _make_state_folder(settings: Settings) -> None:
    folder = settings.state
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _no_state_folder(folder, error.strerror) from None
    if not os.access(folder, os.W_OK):
        raise _no_state_folder(folder, "you may not write there")


def _no_state_folder(folder: Path, why: str | None) -> SettingError:
    return SettingError(
        f"LEADERBOARD_STATE_FOLDER is {str(folder)!r}; it must be a folder of yours, or a place "
        f"where one can be made ({why})."
    )


def _check_files(settings: Settings) -> None:
    for name, _, _ in SETTINGS:
        file = name.endswith("_file") and getattr(settings, name)
        if file and (Path(file).is_dir() or not os.access(file, os.R_OK)):
            raise SettingError(
                f"{_variable(name)} is {file!r}; it must be a file that can be read."
            )


def _check_path(folder: Path) -> None:
    """Raise SetupError when a program that is started could not find this folder."""
    unreadable = sorted({each for each in str(folder) if each in UNREADABLE or each < " "})
    if unreadable:
        raise SetupError(
            f"the folder {str(folder)!r} has {' and '.join(map(repr, unreadable))} in its name, "
            "which Java or a shell would read as something else. Rename it, or name another "
            "state folder: LEADERBOARD_STATE_FOLDER."
        )


def _check_ports(settings: Settings) -> None:
    ports = {"supervisor_port": settings.supervisor_port}
    for service in services.services(settings):
        ports |= service.ports
    by_port: dict[int, str] = {}
    for setting, port in ports.items():
        other = by_port.setdefault(port, setting)
        if other != setting:
            raise SettingError(
                f"{_variable(other)} and {_variable(setting)} are both {port}; each service needs "
                "a port of its own."
            )
    address = settings.bind_address
    if _found("bind_address", address) == "0.0.0.0":
        raise SettingError(
            f"LEADERBOARD_BIND_ADDRESS is {address!r}, which is every address; it must be one of "
            "this machine, under which the services also find each other. To show others the page "
            "and nothing else, set LEADERBOARD_DASHBOARD_ADDRESS (docs/security.md)."
        )
    _found("dashboard_address", settings.page_address)
    for setting, port in ports.items():
        is_page = setting in ("dashboard_port", "api_port")
        _check_port(settings.page_address if is_page else settings.bind_address, setting, port)


def _variable(setting: str) -> str:
    return PREFIX + setting.upper()


def _found(setting: str, address: str) -> str:
    """The IP address that an address in the settings leads to."""
    try:
        return _bind(address, 0)
    except OSError as error:
        raise SettingError(
            f"{_variable(setting)} is {address!r}; it must be an address of this machine "
            f"({error.strerror})."
        ) from None


def _check_port(address: str, setting: str, port: int) -> None:
    try:
        _bind(address, port)
    except OSError as error:
        remedy = (
            "choose another port, for this and all later commands: "
            f"export {_variable(setting)}=<port>."
        )
        if error.errno != errno.EADDRINUSE:
            what = f"Port {port} on {address} may not be used ({error.strerror}): {remedy}"
            raise SetupError(what) from None
        raise SetupError(
            f"Port {port} on {address} is taken ({error.strerror}), perhaps by a leaderboard with "
            f"another state folder. Stop what uses it, or {remedy}"
        ) from None


def _bind(address: str, port: int) -> str:
    """Bind once, and give the IP address. Raises OSError when that is not possible."""
    family, kind, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
        found: str = probe.getsockname()[0]
        return found
