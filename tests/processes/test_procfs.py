"""What Linux tells about processes."""

from __future__ import annotations

import os
import subprocess

from parallel_impl.processes import procfs


def test_a_process_is_found_by_one_of_several_words_in_its_variable() -> None:
    """A tool of an agent of ours carries the mark of the agent and its own."""
    with subprocess.Popen(["sleep", "600"], env={**os.environ, "A_MARK": "first-3141 second-5926"}) as child:
        while procfs.with_variable("A_MARK", "second-5926") != [child.pid]:
            assert child.poll() is None
        found = [procfs.with_variable("A_MARK", word) for word in ("first-3141", "second", "third-5358")]
        child.kill()
    assert found == [[child.pid], [], []]
