"""The flags of `[release] helm_args`: which of them shipit sets itself, and what each of the others is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from shipit.errors import Usage


class Use(Enum):
    """What a flag is for, and so which helm commands of a deploy get it."""

    CLUSTER = auto()
    """How to speak to the cluster: every command takes it."""
    IDENTITY = auto()
    """As whom: for shipit's own calls as well, so it goes into the kubeconfig that both get."""
    FETCHING = auto()
    """How to get at the chart, and to verify it: done once it is here."""
    RENDERING = auto()
    """How to check and post-render the chart: done once it is rendered."""
    VALUES = auto()
    """Which values the release has: nothing to a command that keeps the live ones."""
    WAITING = auto()
    """How Helm 4 waits: for what waits."""
    UPGRADE = auto()
    """Anything else: for rendering and upgrading."""


# Flags that shipit sets itself, and what to do instead.
_OURS = {
    **dict.fromkeys(("--atomic", "--rollback-on-failure", "--cleanup-on-fail"), "use rollback_on_failure"),
    "--create-namespace": "use create_namespace",
    "--timeout": "use timeout",
    **dict.fromkeys(("--namespace", "-n"), "use namespace"),
    "--kube-context": "use context",
    "--kubeconfig": "use shipit's --kubeconfig",
    "--description": "use shipit's --message",
    **dict.fromkeys(("--values", "-f"), "use values"),
    "--version": "use version",
    "--dry-run": "use `shipit doctor`",
    **dict.fromkeys(
        ("--install", "-i", "--no-hooks", "--output", "-o", "--hide-secret", "--help", "-h"), "leave it out"
    ),
}

# Flags that lead helm to a cluster of its own: shipit would migrate in one and upgrade in the other.
_ELSEWHERE = {
    "--kube-apiserver",
    "--kube-ca-file",
    "--kube-insecure-skip-tls-verify",
    "--kube-tls-server-name",
    "--kube-token",
}

_WITH_VALUE = {
    **dict.fromkeys(
        ("--burst-limit", "--qps", "--registry-config", "--repository-cache", "--repository-config",
         "--content-cache", "--color", "--colour"),
        Use.CLUSTER,
    ),
    **dict.fromkeys(("--kube-as-group", "--kube-as-user"), Use.IDENTITY),
    **dict.fromkeys(
        ("--ca-file", "--cert-file", "--key-file", "--keyring", "--password", "--repo", "--username"),
        Use.FETCHING,
    ),
    **dict.fromkeys(
        ("--post-renderer", "--post-renderer-args", "--post-renderer-strategy"), Use.RENDERING
    ),
    **dict.fromkeys(("--set", "--set-file", "--set-json", "--set-literal", "--set-string"), Use.VALUES),
    **dict.fromkeys(("--history-max", "--labels", "-l", "--server-side"), Use.UPGRADE),
}  # fmt: skip
_WITHOUT_VALUE = {
    "--debug": Use.CLUSTER,
    **dict.fromkeys(
        ("--dependency-update", "--devel", "--insecure-skip-tls-verify", "--pass-credentials", "--plain-http",
         "--verify"),
        Use.FETCHING,
    ),
    **dict.fromkeys(
        ("--enable-dns", "--hide-notes", "--render-subchart-notes", "--skip-schema-validation"), Use.RENDERING
    ),
    **dict.fromkeys(("--reset-then-reuse-values", "--reset-values", "--reuse-values"), Use.VALUES),
    **dict.fromkeys(
        ("--disable-openapi-validation", "--force", "--force-conflicts", "--force-replace", "--recreate-pods",
         "--skip-crds", "--take-ownership", "--wait-for-jobs"),
        Use.UPGRADE,
    ),
    "--wait": Use.WAITING,
}  # fmt: skip
_USES = {**_WITH_VALUE, **_WITHOUT_VALUE}
_WAITS = ("", "true", "watcher", "legacy")


@dataclass(frozen=True, slots=True)
class HelmFlag:
    """One flag with the words it is made of: `("--set", "a=b")`, `("--set=a=b",)` or `("-lx",)`."""

    name: str
    use: Use
    words: tuple[str, ...]

    @property
    def value(self) -> str:
        """ "" for a flag that has none."""
        if len(self.words) > 1:
            return self.words[1]
        return self.words[0].removeprefix(self.name).removeprefix("=")

    @property
    def shapes_rendering(self) -> bool:
        """Whether another value may render another manifest of the same chart."""
        return self.use in (Use.VALUES, Use.RENDERING)

    @property
    def files(self) -> tuple[str, ...]:
        """The files, and programs, that it may name: what they hold is part of the rendering."""
        match self.name:
            case "--set-file":
                return tuple(part.partition("=")[2] for part in self.value.split(","))
            case "--post-renderer":
                return (self.value,)
        return ()


def parse_helm_args(helm_args: Sequence[str]) -> tuple[HelmFlag, ...]:
    """Split `helm_args` into flags. Raises Usage for a word that belongs to none and for a flag that shipit sets.

    A word that follows an unknown flag (one of a newer helm) is taken as its value. If the flag takes none, helm itself
    refuses the word when it renders.

    The message shows no value: it may be a secret.
    """
    return tuple(_checked(flag) for flag in _split(tuple(helm_args)))


def acting_as(helm_flags: Sequence[HelmFlag]) -> tuple[str, tuple[str, ...]]:
    """The user, "" for none, and the groups that these flags act as."""
    users = [flag.value for flag in helm_flags if flag.name == "--kube-as-user"]
    return users[-1] if users else "", tuple(f.value for f in helm_flags if f.name == "--kube-as-group")


def switched_on(helm_flags: Sequence[HelmFlag], name: str) -> bool:
    """Whether a flag that says yes or no says yes, the last one deciding: `--skip-crds`, `--skip-crds=false`."""
    said = [flag.value for flag in helm_flags if flag.name == name]
    return bool(said) and said[-1].lower() not in ("false", "f", "0")


def _split(words: tuple[str, ...]) -> Iterator[HelmFlag]:
    at = 0
    while at < len(words):
        name, joined = _name(words[at])
        if not name:
            raise Usage(f'item no. {at + 1} is not a flag; write a flag and its value as "--flag=value"')
        follows = name in _WITH_VALUE or (name not in _USES and _is_value(words[at + 1 : at + 2]))
        length = 2 if follows and not joined else 1
        yield HelmFlag(name, _USES.get(name, Use.UPGRADE), words[at : at + length])
        at += length


def _is_value(words: tuple[str, ...]) -> bool:
    return bool(words) and not words[0].startswith("-")


def _name(word: str) -> tuple[str, bool]:
    """The flag's name, and whether its value is part of the same word."""
    if word.startswith("--") and len(word) > len("--"):
        name, equals, _ = word.partition("=")
        return name, bool(equals)
    if word.startswith("-") and word != "--" and len(word) > 1:
        return word[:2], len(word) > len("-f")
    return "", False


def _checked(flag: HelmFlag) -> HelmFlag:
    if flag.name in _OURS:
        raise Usage(f"{flag.name} is set by shipit: {_OURS[flag.name]}")
    if flag.name in _ELSEWHERE:
        raise Usage(
            f"{flag.name} would apply to helm but not to shipit, and both must talk to the same cluster: "
            "put it into a context of the kubeconfig, and use context"
        )
    if flag.name == "--wait" and (flag.value not in _WAITS or flag.words[0].endswith("=")):
        raise Usage(
            "--wait here makes what runs after the upgrade wait for its pods first; with Helm 4, --wait=watcher or "
            "--wait=legacy also chooses how helm waits; nothing else can be set"
        )
    return flag
