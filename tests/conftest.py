"""What holds for every test: the same examples at each run, and no measure of the machine.

Hypothesis takes these settings by itself only where a variable says that it is CI. For others:
`pytest --hypothesis-profile=default --hypothesis-seed=0`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")
