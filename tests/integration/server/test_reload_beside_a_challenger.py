"""A challenger stands beside what serves now, also after that has changed."""

from __future__ import annotations

from pathlib import Path

from pairguard.bundle.publication import publish
from tests.integration.server.running_server import lenient_policy, serving, until
from tests.unit.bundle.example import example_without_models


def test_what_is_not_named_of_a_challenger_follows_what_serves(tmp_path: Path) -> None:
    root, shadow_policy = tmp_path / "root", tmp_path / "shadow.toml"
    for day in (1, 2):
        example_without_models().write(tmp_path / str(day), created=f"2026-03-0{day}T00:00:00Z")
    first = publish(root, tmp_path / "1")
    shadow_policy.write_text(lenient_policy(version='"challenger"'), encoding="utf-8")
    with serving(
        root, tmp_path, shadow_policy_file=shadow_policy, reload_check_seconds=0.05
    ) as server:
        shadow = server.application.shadow
        assert shadow.challenger is not None
        assert shadow.challenger.bundle_version == first
        server.application.follow()

        second = publish(root, tmp_path / "2")

        def followed() -> bool:
            challenger = shadow.challenger
            return challenger is not None and challenger.bundle_version == second

        assert until(followed)
        assert shadow.challenger.policy_version == "challenger"
        assert server.metric("pairguard_bundle_info", version=second) == 1.0
        assert server.metric("pairguard_generation_stale") == 0.0

        # A challenger of its own file is loaded anew when somebody asks.
        shadow_policy.write_text(lenient_policy(version='"another"'), encoding="utf-8")
        server.application.reload()
        assert until(
            lambda: shadow.challenger is not None and shadow.challenger.policy_version == "another"
        )
