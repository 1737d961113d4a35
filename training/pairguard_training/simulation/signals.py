"""What the simulated platform measures of a participant, and how it depends on age and intent.

Owns the list of signals with their distributions; every effect is assumed, smooth in age, and
small next to its spread, as behaviour is. It must not know how signals are drawn (``behaviour``).

Names are those of the default signal catalogue. Each effect is added to the level: ``young`` and
``youthful`` fade out around 17 and 27 years, the others belong to an intent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scale(StrEnum):
    """On which scale a signal is normal."""

    LOG = "log"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class NormalSignal:
    """A number that is normal after a transformation; ``persistence`` is the person's share."""

    name: str
    block: str
    scale: Scale
    level: float
    deviation: float
    effects: Mapping[str, float] = field(default_factory=dict)
    persistence: float = 0.5


@dataclass(frozen=True, slots=True)
class CountSignal:
    """A negative binomial count: a log mean, and a shape (large: Poisson)."""

    name: str
    block: str
    log_mean: float
    shape: float
    effects: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlagSignal:
    """A 0/1 flag: its rate, and effects on its log-odds."""

    name: str
    block: str
    rate: float
    effects: Mapping[str, float] = field(default_factory=dict)


# Blocks are known or unknown as a whole, fixed for each participant id.
BLOCK_SHARES: Mapping[str, float] = {
    "integrity": 0.80,
    "device": 0.90,
    "schedule": 0.85,
    "conversation": 0.70,
    "partners": 0.85,
    "interests": 0.50,
}
# Children use text a little less where there is video: missingness that tells something.
CONVERSATION_YOUTH = -0.35

FLAGS = (
    FlagSignal(
        "virtual_camera", "integrity", 0.012, {"rude": 0.9, "predatory": 1.6, "posing": 3.6}
    ),
    FlagSignal(
        "injected_media", "integrity", 0.004, {"rude": 0.6, "predatory": 1.2, "posing": 3.2}
    ),
    FlagSignal(
        "replayed_capture", "integrity", 0.003, {"rude": 0.5, "predatory": 1.0, "posing": 2.6}
    ),
    FlagSignal("emulator", "integrity", 0.008, {"rude": 0.4, "predatory": 0.6, "posing": 1.5}),
    FlagSignal(
        "vpn", "integrity", 0.12, {"young": -0.3, "rude": 0.3, "predatory": 1.0, "posing": 1.3}
    ),
    FlagSignal("time_zone_mismatch", "integrity", 0.04, {"predatory": 0.8, "posing": 1.4}),
    FlagSignal("payment_made", "device", 0.18, {"young": -1.3, "youthful": -0.6, "posing": -0.8}),
)

NORMALS = (
    NormalSignal(
        "characters_per_message", "conversation", Scale.LOG, 3.35, 0.50,
        {"young": -0.28, "youthful": -0.17, "rude": -0.25, "predatory": 0.15, "posing": 0.1},
    ),
    NormalSignal(
        "seconds_per_message", "conversation", Scale.LOG, 1.9, 0.45,
        {"young": -0.16, "youthful": -0.22, "predatory": -0.1, "posing": -0.1},
    ),
    NormalSignal(
        "typing_errors_per_100_characters", "conversation", Scale.LOG, 0.7, 0.50,
        {"young": 0.34, "youthful": 0.05},
    ),
    NormalSignal(
        "emoji_per_message", "conversation", Scale.LOG, -1.3, 0.75,
        {"young": 0.40, "youthful": 0.30, "posing": 0.2},
    ),
    NormalSignal(
        "contact_requests_per_chat", "conversation", Scale.LOG, -3.2, 0.80,
        {"young": 0.2, "rude": 0.3, "predatory": 1.5, "posing": 1.7},
    ),
    NormalSignal(
        "night_share_30d", "schedule", Scale.LOGIT, -1.1, 0.80, {"young": -0.55, "youthful": 0.35}
    ),
    NormalSignal(
        "session_seconds", "schedule", Scale.LOG, 6.6, 0.80,
        {"young": 0.15, "youthful": 0.2, "predatory": 0.4, "posing": 0.4}, 0.2,
    ),
    NormalSignal(
        "skip_rate", "partners", Scale.LOGIT, -0.6, 0.70,
        {"young": 0.25, "youthful": 0.3, "rude": 0.3, "predatory": 1.1, "posing": 1.2},
    ),
    NormalSignal(
        "skipped_by_others_rate", "partners", Scale.LOGIT, -0.3, 0.60,
        {"young": 0.2, "youthful": -0.3, "rude": 0.5, "predatory": 0.5, "posing": 0.3},
    ),
    NormalSignal(
        "median_chat_seconds", "partners", Scale.LOG, 4.1, 0.70,
        {"young": -0.3, "youthful": -0.15, "rude": -0.4, "predatory": 0.2, "posing": 0.2},
    ),
)  # fmt: skip

COUNTS = (
    CountSignal(
        "sessions_7d",
        "schedule",
        1.2,
        3.0,
        {"young": 0.3, "youthful": 0.2, "predatory": 0.6, "posing": 0.6},
    ),
    CountSignal(
        "device_accounts_30d",
        "integrity",
        -1.4,
        1.5,
        {"young": 0.2, "rude": 0.7, "predatory": 1.2, "posing": 1.6},
    ),
)

# Chats of the last day: sent by the platform and counted by the service, the same number.
CHATS = CountSignal(
    "chats_started_24h",
    "partners",
    2.3,
    1.5,
    {"young": 0.15, "youthful": 0.25, "rude": 0.3, "predatory": 0.9, "posing": 0.8},
)
REPORTS_30D = CountSignal(
    "history.reports_received_30d",
    "history",
    -4.0,
    0.7,
    {"rude": 2.6, "predatory": 2.7, "posing": 2.6},
)
REPORTS_EARLIER = CountSignal(
    "history.reports_received_365d",
    "history",
    -2.6,
    0.7,
    {"rude": 2.4, "predatory": 1.9, "posing": 1.5},
)
UPHELD = FlagSignal(
    "history.upheld_harm_365d", "history", 0.04, {"rude": 2.6, "predatory": 3.3, "posing": 3.3}
)
# Of the reports of 30 days, those of child safety; of the others, those of sexual conduct.
# Reporters choose categories loosely: each is seen of everybody.
CHILD_SAFETY = FlagSignal(
    "history.child_safety_reports_30d",
    "history",
    0.03,
    {"rude": 0.3, "predatory": 2.2, "posing": 2.8},
)
SEXUAL = FlagSignal(
    "history.sexual_reports_30d",
    "history",
    0.22,
    {"rude": 1.0, "predatory": 1.1, "posing": 1.0},
)

# What else the service counts of each participant.
COUNTED = (
    CountSignal(
        "history.blocked_by_others_30d",
        "history",
        -1.4,
        0.8,
        {"young": 0.2, "rude": 1.2, "predatory": 1.5, "posing": 1.2},
    ),
    CountSignal(
        "history.reports_made_30d",
        "history",
        -2.8,
        0.6,
        {"young": -0.3, "youthful": 0.2, "rude": 0.4, "predatory": -0.4, "posing": -0.6},
    ),
    CountSignal(
        "history.devices_30d",
        "history",
        0.3,
        6.0,
        {"youthful": 0.1, "rude": 0.15, "predatory": 0.35, "posing": 0.5},
    ),
)

# Share of participants who name a tag, and what youth adds to its log-odds.
INTERESTS: Mapping[str, tuple[float, float, float]] = {
    "animals": (0.12, 0.5, 0.2), "animation": (0.05, 0.8, 0.9), "art": (0.08, 0.4, 0.3),
    "basketball": (0.05, 0.5, 0.4), "board_games": (0.05, 0.0, 0.0), "books": (0.12, 0.0, -0.2),
    "cars": (0.09, -0.4, 0.2), "comics": (0.04, 0.3, 0.4), "cooking": (0.12, -0.7, -0.3),
    "cycling": (0.07, -0.3, -0.4), "dance": (0.06, 0.7, 0.3), "diy": (0.07, -0.9, -0.7),
    "fashion": (0.08, 0.1, 0.5), "films": (0.2, -0.1, 0.1), "finance": (0.06, -1.5, -0.3),
    "football": (0.13, 0.2, 0.2), "gardening": (0.05, -1.2, -1.1), "homework": (0.01, 2.6, 1.2),
    "languages": (0.08, -0.1, 0.1), "memes": (0.05, 0.7, 1.2), "music": (0.3, 0.1, 0.2),
    "parenting": (0.05, -2.2, -1.6), "photography": (0.08, -0.2, 0.0),
    "programming": (0.05, -0.2, 0.4), "science": (0.07, 0.1, 0.1), "series": (0.16, 0.0, 0.3),
    "skateboarding": (0.02, 0.9, 0.9), "travel": (0.15, -0.9, -0.2),
    "video_games": (0.1, 0.9, 1.0), "work": (0.06, -2.2, -0.4),
}  # fmt: skip

DEVICE_CLASSES = ("phone", "tablet", "laptop", "desktop")
# Level of each class and its lean to the young and to the youthful, as in a softmax.
DEVICE_LEVELS = ((0.9, 0.35, 0.5), (-1.3, 1.0, -0.2), (0.0, -0.3, 0.1), (-0.4, -0.5, -0.2))
NETWORK_CLASSES = ("cellular", "home", "education", "business", "public", "hosting")
NETWORK_LEVELS = (
    (0.2, -0.2, 0.3),
    (1.6, 0.2, 0.0),
    (-3.2, 1.3, 0.9),
    (-1.2, -1.8, -0.5),
    (-2.2, 0.1, 0.2),
    (-3.0, -0.4, 0.0),
)
# By device class: shares of operating systems and browsers, pixels of width, gibibytes.
OPERATING_SYSTEMS = ("android", "ios", "windows", "macos", "linux", "chromeos")
OS_SHARES = (
    (0.6, 0.4, 0, 0, 0, 0),
    (0.45, 0.55, 0, 0, 0, 0),
    (0, 0, 0.62, 0.25, 0.05, 0.08),
    (0, 0, 0.86, 0.08, 0.06, 0),
)
BROWSERS = ("app", "chrome", "safari", "firefox", "edge", "samsung", "opera")
BROWSER_SHARES = (
    (0.55, 0.2, 0.15, 0.01, 0.01, 0.07, 0.01),
    (0.4, 0.25, 0.25, 0.02, 0.02, 0.05, 0.01),
    (0, 0.62, 0.1, 0.08, 0.16, 0, 0.04),
    (0, 0.64, 0.04, 0.1, 0.17, 0, 0.05),
)
SCREEN_WIDTHS = (400.0, 900.0, 1500.0, 1920.0)
MEMORY_GIB = (6.0, 4.0, 12.0, 16.0)
