"""Helm, the program: argument lists, running it under a guardian, and its answers as our types."""

from shipit.helm.client import HelmCli, connect
from shipit.helm.files import private_folder
from shipit.helm.given_values import GivenValues
from shipit.helm.process import GUARDIAN
from shipit.helm.storage import storage_of
