"""Checkpoints of a training run: one file per epoch, whole or absent, tensors and plain values only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from salience.results.checksums import check, check_format, leave_room_in_zip
from salience.results.storage import written_beside

__all__ = ["Checkpoints"]

FORMAT = 1
AGAIN = "remove it to go on from the one before it, if there is one, or train again without resuming"


class Checkpoints:
    """A folder of ``epoch-00007.pt`` files, of which the last few are kept.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    keep : int
        How many.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(Path(folder))
    ...     checkpoints.save(3, {"weight": torch.ones(2)})
    ...     checkpoints.latest()["weight"].tolist()
    [1.0, 1.0]
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Write the state beside, rename it, and drop the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_beside(self.folder / f"epoch-{epoch:05d}.pt", sealed=True) as beside:
            with open(beside, "wb") as file:
                torch.save({**state, "format": FORMAT}, file)
            leave_room_in_zip(beside)
        for old in self._files()[: -self.keep]:
            old.unlink()

    def latest(self) -> dict[str, Any] | None:
        """The state of the last epoch, or None when there is none yet.

        Raises
        ------
        ValueError
            When the file is damaged or of another version.
        pickle.UnpicklingError
            When the file holds anything but tensors and plain values.
        """
        files = self._files()
        if not files:
            return None
        check(files[-1], AGAIN)
        state: dict[str, Any] = torch.load(files[-1], weights_only=True)
        check_format(files[-1], state.pop("format", None), FORMAT, AGAIN)
        return state

    def _files(self) -> list[Path]:
        return sorted(
            path for path in self.folder.glob("epoch-*.pt") if re.fullmatch(r"epoch-\d+", path.stem)
        )
