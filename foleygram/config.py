"""What every config has in common: frozen, complete, and refused when a name is unknown.

A config class stands directly above the class that reads it; recipes (YAML) and model folders (JSON) are made of them.
"""

import json
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foleygram.errors import ModelError, RecipeError
from foleygram.limits import SEEDS

C = TypeVar("C", bound="Config")

# the numbers of configs, so that one which cannot be is named when it is read and not met as a traceback an hour later
Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Chance = Annotated[float, Field(ge=0, lt=1)]
"""That something is left out; never everything."""
Seed = Annotated[int, Field(ge=SEEDS[0], le=SEEDS[1])]


class Config(BaseModel):
    """Immutable numbers of one class. Unknown names are an error, so a typing mistake never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def replace(self, **changes) -> Self:
        """A validated copy with some numbers changed."""
        return type(self).model_validate({**self.model_dump(), **changes})


def check_heads(width: int, heads: int) -> None:
    """Raises ValueError, for a config's validator, where a layer's ``width`` is no whole number of ``heads``."""
    if width % heads:
        raise ValueError(f"width {width} is no whole number for each of {heads} heads")


def first_complaint(error: ValidationError) -> str:
    """The first complaint of pydantic as one line: where, what."""
    complaint = error.errors()[0]
    where = ".".join(str(part) for part in complaint["loc"]) or "top level"
    return f"{where}: {complaint['msg']}"


def read_json(kind: type[C], path: Path) -> C:
    """Reads a config from a JSON file. Raises ModelError that names the file and the first wrong field."""
    try:
        return kind.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); a model folder holds a config.json") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON ({error}); restore the file or export the model again") from error
    except ValidationError as error:
        raise ModelError(f"{path}: {first_complaint(error)}; correct the field or export the model again") from error


def read_yaml(kind: type[C], path: Path) -> C:
    """Reads a recipe from a YAML file. Raises RecipeError that names the file and the first wrong field."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise RecipeError(
            f"{path}: cannot be read ({error.strerror}); give the path of one, as recipes/mini.yaml of the repository"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    try:
        return kind.model_validate(content or {})
    except ValidationError as error:
        raise RecipeError(f"{path}: {first_complaint(error)}") from error
