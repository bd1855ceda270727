"""The pinned npm packages of the emoji drawings, one per vendor and style."""

from __future__ import annotations

import dataclasses

from cladewise.datasets.published.npm import Package


@dataclasses.dataclass(frozen=True)
class Vendor:
    """One set of drawings.

    Example:
        >>> VENDORS[-1].package.spec, VENDORS[-1].credit
        ('@iconify-json/openmoji@1.2.29', 'OpenMoji, CC-BY-SA-4.0')
    """

    name: str
    package: Package
    credit: str


LABELS = Package(
    "emojibase-data",
    "17.0.0",
    "sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)
"""Unicode's groups, subgroups and names of the emoji (MIT)."""


def _vendor(name: str, version: str, integrity: str, credit: str) -> Vendor:
    return Vendor(name, Package(f"@iconify-json/{name}", version, f"sha512-{integrity}"), credit)


VENDORS = (
    _vendor(
        "noto",
        "1.2.9",
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        "Noto Emoji, Google, Apache-2.0",
    ),
    _vendor(
        "noto-v1",
        "1.2.5",
        "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
        "Noto Emoji (v1), Google, Apache-2.0",
    ),
    _vendor(
        "fxemoji",
        "1.2.2",
        "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
        "Firefox OS Emoji, Mozilla, Apache-2.0",
    ),
    _vendor(
        "twemoji",
        "1.2.5",
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        "Twitter Emoji, CC-BY-4.0",
    ),
    _vendor(
        "emojione",
        "1.2.3",
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "EmojiOne (EmojiTwo), CC-BY-4.0",
    ),
    _vendor(
        "emojione-v1",
        "1.2.3",
        "UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
        "EmojiOne (v1), CC-BY-SA-4.0",
    ),
    _vendor(
        "fluent-emoji",
        "1.2.7",
        "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",
        "Fluent Emoji, Microsoft, MIT",
    ),
    _vendor(
        "fluent-emoji-flat",
        "1.2.6",
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        "Fluent Emoji Flat, Microsoft, MIT",
    ),
    _vendor(
        "openmoji",
        "1.2.29",
        "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        "OpenMoji, CC-BY-SA-4.0",
    ),
)
"""The sets of drawings. ``noto-v1`` is an earlier style of ``noto``, ``emojione-v1`` one of ``emojione``, and
``fluent-emoji`` is close to ``fluent-emoji-flat``: to test on one, exclude its relative."""
