"""Every failure a user can meet: one line that says what happened and what to do next.

The command line prints the line and exits with ``exit_code``; the library raises. Nothing else is caught there, so a
traceback always means a defect of ours.
"""


class FoleyGRAMError(Exception):
    """Base of all errors of this package. The message is one line: what happened, and what to do."""

    exit_code = 1


class UsageError(FoleyGRAMError):
    """The call itself is wrong: an option out of range, names that contradict each other."""

    exit_code = 2


class MediaError(FoleyGRAMError):
    """A file cannot be read as the picture or the sound that it should be."""


class EnvelopeError(FoleyGRAMError):
    """An envelope, a CSV or a list of hits does not describe a curve over time."""


class OutputError(FoleyGRAMError):
    """A result cannot be written where it should lie."""


class ModelError(FoleyGRAMError):
    """A model folder, its config or its weights are absent or do not fit."""


class DataError(FoleyGRAMError):
    """A data set or a manifest cannot be used."""


class RecipeError(FoleyGRAMError):
    """A recipe does not describe a training that can run."""
