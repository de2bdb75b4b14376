"""A container's log without loss or repeat, and `shipit logs`."""

from shipit.logs.follower import Follower, tail_lines
from shipit.logs.show import describe, newest_job, show_logs, show_previous
