"""`python -m intvit`."""

import sys

from intvit.cli.main import main

sys.exit(main())
