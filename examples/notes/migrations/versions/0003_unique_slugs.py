"""unique slugs

Fails, as migrations do: it holds on a developer's ten notes and not on the data that people made.
"""

import logging

from alembic import op

revision = "0003"
down_revision = "0002"
log = logging.getLogger("notes.migrations")


def upgrade() -> None:
    log.info("step 1 of 2: a table for redirects from old slugs")
    op.execute(
        "CREATE TABLE redirects (old_slug text PRIMARY KEY, note bigint NOT NULL REFERENCES notes ON DELETE CASCADE)"
    )
    log.info("step 2 of 2: every slug only once")
    op.execute("ALTER TABLE notes ADD CONSTRAINT notes_slug_key UNIQUE (slug)")


def downgrade() -> None:
    op.execute("ALTER TABLE notes DROP CONSTRAINT notes_slug_key")
    op.execute("DROP TABLE redirects")
