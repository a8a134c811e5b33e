"""`python -m burnish`, and what a launcher of several processes starts."""

import sys

from burnish.cli import main

sys.exit(main())
