"""add slugs"""

import logging
import re
import time

from alembic import op
from sqlalchemy import text
from sqlalchemy.engine import Connection

revision = "0002"
down_revision = "0001"
log = logging.getLogger("notes.migrations")

BATCH = 250
PAUSE = 0.75  # seconds between batches: the previous release serves from this table meanwhile


def upgrade() -> None:
    op.execute("ALTER TABLE notes ADD COLUMN IF NOT EXISTS slug text")
    # Commits the new column, and then each batch: its lock on the table must not last as long as the work.
    # So this migration can stop half-way, and must be able to start again from there.
    with op.get_context().autocommit_block():
        fill_slugs(op.get_bind())


def fill_slugs(connection: Connection) -> None:
    total = connection.execute(text("SELECT count(*) FROM notes WHERE slug IS NULL")).scalar() or 0
    done = 0
    while rows := connection.execute(
        text("SELECT id, title FROM notes WHERE slug IS NULL ORDER BY id LIMIT :batch"), {"batch": BATCH}
    ).all():
        connection.execute(
            text(
                "UPDATE notes SET slug = new.slug"
                " FROM unnest(CAST(:ids AS bigint[]), CAST(:slugs AS text[])) AS new (id, slug)"
                " WHERE notes.id = new.id"
            ),
            {
                "ids": [row.id for row in rows],
                "slugs": [re.sub(r"[^a-z0-9]+", "-", row.title.lower()).strip("-") for row in rows],
            },
        )
        done += len(rows)
        log.info("slugs: %d of %d notes (%d %%)", done, total, 100 * done // max(done, total))
        time.sleep(PAUSE)


def downgrade() -> None:
    op.execute("ALTER TABLE notes DROP COLUMN slug")
