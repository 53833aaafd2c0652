"""The one door to OpenCV, which only the extra ``train`` installs."""

from __future__ import annotations

import importlib
from typing import Any

from foleygram.errors import DataError


class _OpenCV:
    """Stands for the module ``cv2`` and imports it at the first use. Raises DataError where it is not installed."""

    def __getattr__(self, name: str) -> Any:
        try:
            module = importlib.import_module("cv2")
        except ImportError:
            raise DataError("rendering pictures needs OpenCV, which is absent; run: pip install 'foleygram[train]'") from None
        # Frames of this size are drawn faster by one thread, and callers render scenes in parallel processes.
        module.setNumThreads(1)
        self.__dict__.update({key: value for key, value in vars(module).items() if not key.startswith("_")})
        return getattr(module, name)


cv2: Any = _OpenCV()
