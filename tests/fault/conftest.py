"""Makes the campaigns importable; what they need comes from campaign.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
