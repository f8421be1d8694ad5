"""The cores that a process may use, and its share of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.processes import cores

V2 = "/sys/fs/cgroup"
V1 = "/sys/fs/cgroup/cpu"


@pytest.mark.parametrize(
    ("own", "files", "quotas"),
    [
        ("0::/\n", {}, []),
        ("0::/\n", {f"{V2}/cpu.max": "150000 100000\n"}, [1.5]),
        ("0::/\n", {f"{V2}/cpu.max": "max 100000\n"}, []),
        ("0::/a/b\n", {f"{V2}/a/b/cpu.max": "max 100000", f"{V2}/a/cpu.max": "400000 100000"}, [4.0]),
        (
            "4:memory:/x\n1:cpu,cpuacct:/x\n",
            {f"{V1}/x/cpu.cfs_quota_us": "200000\n", f"{V1}/x/cpu.cfs_period_us": "100000\n"},
            [2.0],
        ),
        ("1:cpu:/\n", {f"{V1}/cpu.cfs_quota_us": "-1\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, []),
        ("", {}, []),
    ],
)
def test_a_quota_is_that_of_the_group_and_of_those_above_it(
    own: str, files: dict[str, str], quotas: list[float]
) -> None:
    def read(path: Path) -> str:
        return files.get(str(path), "")

    assert list(cores.quotas(own, read)) == quotas


def test_there_is_always_a_core() -> None:
    assert cores.count() >= 1


def test_each_slot_has_its_share_and_what_is_set_stays() -> None:
    assert cores.environment(8, 2, {"GOMAXPROCS": "7"}) == {
        "PARALLEL_IMPL_CORES": "4",
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "4",
        "CARGO_BUILD_JOBS": "4",
    }
    assert cores.environment(1, 3, {})["PARALLEL_IMPL_CORES"] == "1"
