"""count words

Follows 0002: 0003 was withdrawn, it never came to be in any database. Slow on purpose, for a timeout to strike.
"""

import logging

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0002"
log = logging.getLogger("notes.migrations")

STEPS = 25


def upgrade() -> None:
    """One transaction, and no lock on `notes`: whoever stops it half-way finds nothing changed."""
    op.execute(
        "CREATE TABLE word_counts (note bigint PRIMARY KEY REFERENCES notes ON DELETE CASCADE, words int NOT NULL)"
    )
    for step in range(STEPS):
        op.get_bind().execute(
            text(
                "INSERT INTO word_counts SELECT id, cardinality(regexp_split_to_array(trim(body), '\\s+'))"
                " FROM notes WHERE id % :steps = :step"
            ),
            {"steps": STEPS, "step": step},
        )
        op.execute("SELECT pg_sleep(1)")
        log.info("words: step %d of %d", step + 1, STEPS)


def downgrade() -> None:
    op.execute("DROP TABLE word_counts")
