"""Looks at a chart without a cluster, and writes the `shipit.toml` that fits it."""

from shipit.init.charts import ChartPlace, about, find_charts
from shipit.init.elsewhere import of_other_chart
from shipit.init.file import file_text
from shipit.init.look import Look, look_at
from shipit.init.migration import Proposal, Row, proposals
from shipit.init.tags import TagKeys, tag_keys
