"""`shipit.toml`, its environments, its variables and the flags, settled into one frozen Config.

`structure` says what a file may hold, `tables` checks it key by key, `overlay` lays an environment over the base,
`load` puts it together, `request` is what is asked for.
"""

from shipit.config.durations import format_duration, parse_duration
from shipit.config.files import STDIN, chart_problem, layer_of
from shipit.config.helm_args import HelmFlag, Use, acting_as, parse_helm_args, switched_on
from shipit.config.keys import KeyPath, key_path, written
from shipit.config.load import load_config
from shipit.config.overlay import merged
from shipit.config.request import Config, Flags, Request
from shipit.config.structure import EnvironmentTable, MigrationSpec, OnTable, ReleaseSpec, about_of, schema
from shipit.config.validators import check_tag, nearest
from shipit.config.workload_names import WorkloadName, workload_name
