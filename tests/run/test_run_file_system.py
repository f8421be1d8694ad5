"""Network file systems are recognised by the kernel's list of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.run.claims.file_system import NETWORK, kind_of

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:44 / /home rw,relatime shared:9 - nfs4 server:/home rw,vers=4.2
41 40 8:2 / /home/me/local rw - xfs /dev/sdb1 rw
42 22 0:50 / /mnt/my\\040share rw - fuse.sshfs me@host:/ rw
43 22 0:51 / /twice rw - tmpfs none rw
44 22 0:52 / /twice rw master:1 propagate_from:2 - cifs //server/twice rw
"""


@pytest.mark.parametrize(
    ("folder", "kind", "network"),
    [
        ("/", "ext4", False),
        ("/homes/x", "ext4", False),
        ("/home/me/repo/.git", "nfs4", True),
        ("/home/me/local/repo", "xfs", False),
        ("/mnt/my share/repo", "fuse.sshfs", True),
        ("/twice/repo", "cifs", True),  # the later mount covers the earlier one
    ],
)
def test_the_nearest_and_latest_mount_decides(folder: str, kind: str, *, network: bool) -> None:
    assert kind_of(Path(folder), MOUNTS) == kind
    assert bool(NETWORK.fullmatch(kind)) is network


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "lustre", "glusterfs", "fuse.sshfs", "fuse.glusterfs"]
)
def test_network_file_systems_are_known(kind: str) -> None:
    assert NETWORK.fullmatch(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk", "fuse.ntfs-3g", "f2fs"])
def test_local_file_systems_are_not_warned_about(kind: str) -> None:
    assert not NETWORK.fullmatch(kind)
