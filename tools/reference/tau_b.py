"""Writes fixtures/tau_b.json: Kendall's tau_b by scipy, for the golden test of crates/core/src/metrics.rs.

Needs numpy and scipy (requirements.txt). Run from the root of the repository:

    python tools/reference/tau_b.py
"""

import json
import math
import pathlib

import numpy as np
import scipy
from scipy.stats import kendalltau

rng = np.random.default_rng(20)
cases = [
    ([], []),
    ([1], [2]),
    ([1, 2], [1, 2]),
    ([1, 2], [2, 1]),
    ([3, 3], [1, 2]),
    ([1, 2], [3, 3]),
    ([3, 3, 3], [3, 3, 3]),
    ([1, 1, 2], [1, 2, 2]),
    ([5, 4, 4, 1], [5, 4, 3, 1]),
    ([0.1, 0.2, 0.30000000000000004], [0.1, 0.2, 0.3]),
    ([-1e300, 0, 1e300], [1e-300, 0, -1e-300]),
    ([-0.0, 0.0, 1], [1, 2, 3]),
]
for n in (2, 3, 4, 5, 8, 16, 64):
    for levels in (2, 5, 9, 1000):
        for _ in range(3):
            cases.append(tuple((1 + 4 * rng.integers(0, levels, n) / (levels - 1)).tolist() for _ in range(2)))

rows = []
for a, b in cases:
    tau = kendalltau(a, b, variant="b").statistic if len(a) > 1 else math.nan
    rows.append({"a": a, "b": b, "tau_b": None if math.isnan(tau) else float(tau)})

lines = ",\n".join("    " + json.dumps(row) for row in rows)
path = pathlib.Path("fixtures/tau_b.json")
path.write_text('{\n  "scipy": "%s",\n  "cases": [\n%s\n  ]\n}\n' % (scipy.__version__, lines))
print(path, len(rows), "cases")
