import sys
from pathlib import Path

# Planted runs and measurements serve the page of the claims.
sys.path.append(str(Path(__file__).parents[1] / "analysis" / "claims"))
