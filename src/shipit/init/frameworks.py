"""Which migration tool an app uses, by its commands, its images and the files beside it, and the command that it wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from shipit.chart import containers
from shipit.model import Json, as_list, as_maps, as_text

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Framework:
    """`runs` is found in a command that migrates, `hint` in the image, command or environment of an app that may need
    to; `files` are there in its source, holding `holds` (a pattern) where that says something.
    """

    name: str
    command: tuple[str, ...]
    runs: str
    hint: str = ""
    files: tuple[str, ...] = ()
    holds: str = ""


# The first whose pattern is found counts: Sequelize's db:migrate would be Rails' as well.
FRAMEWORKS = (
    Framework(
        "Alembic", ("alembic", "upgrade", "head"), r"alembic\b.*\bupgrade", r"alembic", ("alembic.ini",)
    ),
    Framework(
        "Django",
        ("python", "manage.py", "migrate", "--noinput"),
        r"manage\.py\b.*\bmigrate|django-admin\b.*\bmigrate",
        r"manage\.py|DJANGO_SETTINGS_MODULE|django",
        ("manage.py",),
        r"django",
    ),
    Framework(
        "Airflow", ("airflow", "db", "migrate"), r"airflow\b.*\bdb\s+(?:migrate|upgrade|init)", r"airflow"
    ),
    Framework(
        "Sequelize",
        ("npx", "sequelize-cli", "db:migrate"),
        r"sequelize\S*\b.*\bdb:migrate",
        r"sequelize",
        (".sequelizerc", "package.json"),
        r"sequelize",
    ),
    Framework(
        "Rails",
        ("bundle", "exec", "rails", "db:migrate"),
        r"\bdb:(?:migrate|prepare|setup|chatwoot_prepare)",
        r"RAILS_ENV|\brails\b|\bpuma\b|sidekiq",
        ("Gemfile",),
        r"\brails\b",
    ),
    Framework(
        "Laravel",
        ("php", "artisan", "migrate", "--force"),
        r"artisan\b.*\bmigrate",
        r"artisan|laravel",
        ("artisan",),
    ),
    Framework(
        "Doctrine",
        ("php", "bin/console", "doctrine:migrations:migrate", "--no-interaction"),
        r"doctrine:migrations:migrate",
        r"doctrine",
        ("composer.json",),
        r"doctrine-migrations|doctrine/migrations",
    ),
    Framework(
        "Flyway", ("flyway", "migrate"), r"flyway\b.*\bmigrate", r"flyway", ("flyway.conf", "flyway.toml")
    ),
    Framework(
        "Liquibase",
        ("liquibase", "update"),
        r"liquibase\b.*\bupdate",
        r"liquibase",
        ("liquibase.properties",),
    ),
    Framework(
        "Prisma",
        ("npx", "prisma", "migrate", "deploy"),
        r"prisma\b.*\b(?:migrate|db push)",
        r"prisma",
        ("prisma/schema.prisma", "package.json"),
        r"datasource|\bprisma\b",
    ),
    Framework(
        "Knex",
        ("npx", "knex", "migrate:latest"),
        r"knex\b.*\bmigrate",
        r"\bknex\b",
        ("knexfile.js", "knexfile.ts", "package.json"),
        r"\bknex\b",
    ),
    Framework(
        "TypeORM",
        ("npx", "typeorm", "migration:run", "-d", "dist/data-source.js"),
        r"typeorm\S*\b.*\bmigration:run",
        r"typeorm",
        ("package.json",),
        r"\btypeorm\b",
    ),
    Framework(
        "Drizzle",
        ("npx", "drizzle-kit", "migrate"),
        r"drizzle-kit\b.*\b(?:migrate|push)",
        r"drizzle",
        ("drizzle.config.ts", "drizzle.config.js"),
    ),
    Framework("goose", ("goose", "up"), r"\bgoose\b.*\bup\b", r"\bgoose\b", ("go.mod",), r"pressly/goose"),
    Framework(
        "golang-migrate",
        ("migrate", "-path", "/migrations", "-database", "$(DATABASE_URL)", "up"),
        r"\bmigrate\b.*-(?:path|source|database)\b.*\bup\b",
        r"migrate/migrate",
        ("go.mod",),
        r"golang-migrate/migrate",
    ),
    Framework("dbmate", ("dbmate", "up"), r"\bdbmate\b.*\b(?:up|migrate)\b", r"\bdbmate\b", (".dbmate",)),
    Framework(
        "Atlas", ("atlas", "migrate", "apply"), r"\batlas\b.*\bmigrate\b", r"ariga/atlas", ("atlas.hcl",)
    ),
    Framework(
        "Ecto",
        ("bin/app", "eval", "App.Release.migrate"),
        r"ecto\.migrate|Release\.migrate",
        r"\becto\b|phoenix",
        ("mix.exs",),
        r"\becto",
    ),
    Framework(
        "Diesel", ("diesel", "migration", "run"), r"diesel\b.*\bmigration run", r"diesel", ("diesel.toml",)
    ),
    Framework("SQLx", ("sqlx", "migrate", "run"), r"sqlx\b.*\bmigrate", r"\bsqlx\b", (".sqlx",)),
)

_RUNS = re.compile("|".join(each.runs for each in FRAMEWORKS), re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(
    r"migrat|schema|(?:^|[^a-z])db[-_:]?(?:setup|init|sync|prepare|upgrade|update|bootstrap)", re.IGNORECASE
)

_WAITS = re.compile(r"\bwait|check-migrations", re.IGNORECASE)


def runs_migrations(container: Json) -> bool:
    """Whether a container's command is one that migrates a database."""
    return _RUNS.search(_command(container)) is not None


def sounds_like_migrating(*texts: str) -> bool:
    """Whether a name or a command line speaks of migrations."""
    return any(_NAMED.search(text) for text in texts)


def speaks_of_migrating(container: Json) -> bool:
    """The same of a container: its command migrates, or its name or command says the word."""
    texts = (as_text(container.get("name")), _command(container))
    return runs_migrations(container) or (
        sounds_like_migrating(*texts) and not _WAITS.search(" ".join(texts))
    )


def framework_of(bodies: Sequence[Json], roots: Sequence[Path]) -> tuple[Framework, str] | None:
    """The tool of an app, and what tells it: its containers, else the files in its source (`roots`)."""
    texts = [
        (_everything(container), as_text(container.get("name")))
        for body in bodies
        for container in containers(body)
    ]
    for pattern_of in (attrgetter("runs"), attrgetter("hint")):
        for text, name in texts:
            for each in FRAMEWORKS:
                pattern = pattern_of(each)
                if pattern and re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                    return each, f"container {name}"
    for root in roots:
        for each in FRAMEWORKS:
            for file in each.files:
                if _holds(root / file, each.holds):
                    return each, file
    return None


def _command(container: Json) -> str:
    words = (*as_list(container.get("command")), *as_list(container.get("args")))
    return " ".join(map(str, words))


def _everything(container: Json) -> str:
    names = (as_text(each.get("name")) for each in as_maps(container.get("env")))
    return " ".join((as_text(container.get("image")), _command(container), *names))


def _holds(path: Path, pattern: str) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return False
        return (
            not pattern or re.search(pattern, path.read_text("utf-8", "replace"), re.IGNORECASE) is not None
        )
    except OSError:
        return False


def source_roots(cwd: Path, chart: Path) -> Iterator[Path]:
    """Where the app's source may be: here, in the folders here, in the folder that the chart lies in."""
    yield cwd
    if chart.parent not in (cwd, chart):
        yield chart.parent
    try:
        below = sorted(each for each in cwd.iterdir() if each.is_dir())
    except OSError:
        return
    yield from (each for each in below if not each.name.startswith(".") and each.name != "node_modules")
