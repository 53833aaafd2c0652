"""The name under which texts and drawings are written whole in this layer; the work is done in foleygram/output.py."""

from foleygram.output import whole_bytes as whole_bytes
from foleygram.output import whole_text as whole_text
