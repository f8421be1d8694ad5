"""A run that another process works on, or nobody, followed through its files: journal, activity, progress.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from parallel_impl import storage
from parallel_impl.record import json_form
from parallel_impl.record.events import from_line
from parallel_impl.report.course import Course
from parallel_impl.report.follow import Follower
from parallel_impl.report.outline import Outline, PackageOutline
from parallel_impl.report.picture import Picture
from parallel_impl.report.progress import ProgressReport
from parallel_impl.report.viewer import Viewer
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places


@dataclass(slots=True)
class RunView:
    """What is known of a run up to the last look. Events of a later version are passed over."""

    places: Places
    viewer: Viewer = field(default_factory=Viewer)
    inode: int = 0
    offset: int = 0

    def look(self, now: float) -> tuple[Picture, bool]:
        """The picture as the files have it, and whether somebody works on the run."""
        alive = bool(change_lock.find_owner(self.places))
        for line in self._lines():
            try:
                self.viewer.event(from_line(line))
            except ValueError:
                self.viewer.course.skipped += 1
        self.viewer.catch_up()
        return self.viewer.picture(now, alive=alive), alive

    def _lines(self) -> list[bytes]:
        """Whole lines that the journal has got since; all of one that is another file, or shorter than it was."""
        journal = self.places.last_journal
        try:
            found = journal.stat()
            if found.st_ino != self.inode or found.st_size < self.offset:
                self._begin(found.st_ino)
            with journal.open("rb") as opened:
                opened.seek(self.offset)
                read = opened.read()
        except FileNotFoundError:
            return []
        whole = read.rfind(b"\n") + 1
        self.offset += whole
        return read[:whole].split(b"\n")[:-1]

    def _begin(self, inode: int) -> None:
        self.inode, self.offset = inode, 0
        self.viewer.course = Course()
        self.viewer.course.begin(_outline(self.places))
        self.viewer.follower = Follower(self.places.attempts)


def _outline(places: Places) -> Outline:
    """Titles, tasks and weights, which no event has: from progress.json, where there is one."""
    try:
        told = json_form.decode(storage.read(places.progress), ProgressReport)
    except (OSError, ValueError):
        return Outline(change_id=places.change_id, state=str(places.state))
    packages = (PackageOutline(id=one.id, title=one.title, tasks=one.tasks, weight=one.weight) for one in told.packages)
    return Outline(change_id=places.change_id, title=told.title, packages=tuple(packages), state=str(places.state))
