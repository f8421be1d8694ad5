"""Which file system a folder lies on: locks over a network are not to be relied on."""

from __future__ import annotations

import re
from pathlib import Path

from parallel_impl import storage
from parallel_impl.processes import procfs

NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ncpfs|coda|ceph|lustre|glusterfs|beegfs|gpfs|ocfs2|gfs2|orangefs|pvfs2|virtiofs"
    r"|fuse\.(sshfs|glusterfs|ceph|s3fs|gcsfuse|rclone|davfs|nfs.*|juicefs|mfs|moosefs|smbnetfs|curlftpfs|beegfs.*)"
)


def network(folder: Path) -> str:
    """The kind of network file system that `folder` lies on, "" for a local one. OSError where nothing tells."""
    kind = kind_of(storage.real(folder), procfs.mounts())
    return kind if NETWORK.fullmatch(kind) else ""


def kind_of(folder: Path, mounts: str) -> str:
    """The file system's kind by the text of `/proc/self/mountinfo` (proc(5)): the nearest mount above, the last one."""
    found = ("", "")
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4])
        if folder.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, rest.split()[0])
    return found[1]
