"""The frozen chart: what Helm gets instead of the app's chart, so that what was checked is what is applied."""

from shipit.chart.frozen import freeze, freeze_live
from shipit.chart.size import MOST_STORED, check_stored_size, stored_size

__all__ = ["MOST_STORED", "check_stored_size", "freeze", "freeze_live", "stored_size"]
