"""``python -m foleygram.cli``."""

import sys

from foleygram.cli import main

sys.exit(main())
