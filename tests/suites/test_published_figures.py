"""Published figures of the suites: the sums of their columns are those of the printed tables.

The sums were taken from the texts of the papers, not from the suites.
"""

from __future__ import annotations

import numpy as np
import pytest

from cladewise.suites import read_suite

SUMS: dict[tuple[str, str], tuple[float, ...]] = {
    # without the starred rows, which another paper reported
    ("lht", "CUB-200-2011"): (578.86, 540.08, 461.78, 526.91),
    ("lht", "FGVC-Aircraft"): (565.68, 551.47, 524.54, 547.23),
    ("lht", "Stanford Cars"): (571.22, 534.14, 552.69),
    ("lht", "table-3"): (773.21, 729.33, 641.65, 714.73),
    ("hmcf", "table-1"): (356.52, 346.09, 288.22, 243.42, 369.45, 371.28, 274.14),
    ("hmcf", "table-2"): (1026.48, 994.92, 820.23, 706.59, 1049.99, 1070.52, 798.1),
    ("hmcf", "table-3"): (283.58, 275.36, 230.97, 202.01, 289.42, 293.53, 221.73),
    ("hmcf", "table-4"): (656.98, 629.69, 489.6, 413.28, 682.03, 692.04, 495.16),
    ("hmcf", "table-5"): (648.11, 621.8, 483.91, 413.39, 667.68, 686.05, 486.15),
    ("hmcf", "table-6"): (292.29, 285.02, 244.48, 216.68, 299.5, 301.63, 224.11),
    ("hmcf", "table-7"): (566.74, 545.53, 422.04, 317.01, 596.64, 599.17, 449.16),
    ("hmcf", "table-8"): (438.96, 427.95, 365.99, 319.08, 448.07, 452.62, 350.02),
    ("hmcf", "table-9"): (271.71, 263.43, 216.03, 184.61, 284.76, 283.18, 213.08),
    ("hmcf", "table-10"): (302.46, 291.82, 237.68, 204.41, 314.65, 315.4, 214.08),
    ("hmcf", "table-11"): (422.6, 410.06, 344.6, 301.04, 433.57, 437.17, 330.17),
    ("dhall", "table-1"): (406.1, 451.0, 465.8, 374.8, 499.0, 329.1),
    ("dhall", "table-2"): (691.88, 780.0, 763.11, 696.1, 522.29),
    # 37.18 is left out: these precision and recall cannot have it
    ("dhall", "table-3"): (309.5, 515.55, 259.14 - 37.18, 128, 1827, 925.1, 332.1),
    # of the repository guybuk/ANCOR
    ("hcm", "few-shot-accuracy"): (793.73, 411.26, 0),
}
"""Sum of each column of a table, which is called by its title where several have its name."""


@pytest.mark.parametrize(("suite", "table"), SUMS)
def test_columns_have_the_sums_of_the_printed_tables(suite: str, table: str) -> None:
    (entry,) = (entry for entry in read_suite(suite).tables if table in (entry.name, entry.title))
    found = np.nansum([row.values for row in entry.published], axis=0)
    assert found == pytest.approx(SUMS[suite, table], abs=1e-6)


@pytest.mark.parametrize("suite", ["lht", "hmcf", "dhall"])
def test_every_table_with_published_figures_is_compared(suite: str) -> None:
    printed = {table for name, table in SUMS if name == suite}
    for entry in read_suite(suite).tables:
        assert not entry.published or {entry.name, entry.title} & printed, entry.title
