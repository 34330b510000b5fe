import sys
from pathlib import Path

# The synthetic study serves the figures and the report.
sys.path.append(str(Path(__file__).parents[1]))
