"""`shipit.toml`, its environments, its variables and the flags, settled into one frozen Config.

`structure` says what a file may hold, `tables` checks it key by key, `overlay` lays an environment over the base,
`load` puts it together, `values` makes the values that Helm gets.
"""

from shipit.config.durations import format_duration, parse_duration
from shipit.config.load import load_config
from shipit.config.settings import Config, Migration, On, Overrides, Release
from shipit.config.structure import schema
from shipit.config.strvals import Assignment, parse_set
from shipit.config.validators import check_tag
from shipit.config.values import overlay_values, values_files

__all__ = [
    "Assignment",
    "Config",
    "Migration",
    "On",
    "Overrides",
    "Release",
    "check_tag",
    "format_duration",
    "load_config",
    "overlay_values",
    "parse_duration",
    "parse_set",
    "schema",
    "values_files",
]
