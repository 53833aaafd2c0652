"""``python -m foleygram``."""

import sys

from foleygram.cli import main

sys.exit(main())
