"""What the server says to people on standard error.

Owns the words. It must not know how anything is served, and loads neither gRPC nor a model.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pairguard import __version__
from pairguard.errors import PairguardError
from pairguard.server.addresses import Address
from pairguard.server.processes.messages import Serving
from pairguard.server.settings import Settings


def say_refused(error: PairguardError) -> None:
    """Say why the server does not begin, each problem on a line of its own."""
    say(f"refused ({error.reason}):")
    for problem in getattr(error, "problems", (str(error),)):
        say(f"  {problem}")


def serving_lines(
    settings: Settings,
    serving: Serving,
    *,
    address: Address,
    metrics_address: Address | None,
    health_address: Address | None = None,
) -> list[str]:
    """Return what to say once calls are answered.

    Args:
        settings: Of the server.
        serving: What serves.
        address: Where calls are answered.
        metrics_address: Where figures are told; None: nowhere.
        health_address: Where health is told besides; None: nowhere.
    """
    lines = [f"pairguard {__version__} serves"]
    reach = _reach(settings, address)
    lines.append(f"  gRPC     {address}  ({reach}; reflection {_on(settings.reflection_on)})")
    if settings.worker_processes > 1:
        lines.append(f"  workers  {settings.worker_processes} processes")
    if health_address is not None:
        lines.append(f"  health   {health_address}  (not encrypted, open to everybody)")
    where = "nowhere" if metrics_address is None else f"http://{metrics_address}/metrics"
    lines.append(f"  metrics  {where}")
    lines.append(f"  bundle   {serving.bundle_version}  (from {settings.bundle_path})")
    if not serving.has_harm_model:
        lines.append("           it has no harm model: see allow_without_harm_model in the policy")
    policy = settings.policy_file or "the package"
    lines.append(f"  policy   {serving.policy_version}  (from {policy})")
    lines += serving.remarks
    lines.append(f"  store    {settings.store}")
    lines.append("try it in another terminal:")
    options = _example_options(settings)
    lines.append(f"  {_python()} -m pairguard.server.example {address.to_call()}{options}")
    return lines


def _example_options(settings: Settings) -> str:
    """Return what the example needs besides the address."""
    options = ""
    if settings.tls_on:
        options += " --ca CA.pem"
    if settings.tls_client_ca_file is not None:
        options += " --certificate CLIENT.pem --key CLIENT.key"
    if settings.tokens_file is not None:
        options += " --token-file TOKEN"
    return options


def _reach(settings: Settings, address: Address) -> str:
    """Return in words who can call."""
    where = "this machine only" if address.is_loopback else "other machines too"
    if settings.tokens_file is not None:
        who = "known callers"
    elif settings.tls_client_ca_file is not None:
        who = "clients with a certificate"
    else:
        who = "any caller"
    how = "TLS" if settings.tls_on else "plaintext" if address.is_loopback else "NOT ENCRYPTED"
    return f"{where}, {how}, {who}"


def _on(value: bool) -> str:  # noqa: FBT001 - a word for it
    return "on" if value else "off"


def _python() -> str:
    """Return this interpreter as one would type it here."""
    relative = os.path.relpath(sys.executable)
    below_here = not relative.startswith("..") and Path.cwd() != Path("/")
    return str(Path(relative)) if below_here else sys.executable


def say(text: str) -> None:
    """Say a line."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
