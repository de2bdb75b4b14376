"""create notes"""

import logging

from alembic import op

revision = "0001"
down_revision = None
log = logging.getLogger("notes.migrations")


def upgrade() -> None:
    op.execute(
        "CREATE TABLE notes ("
        " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " title text NOT NULL,"
        " body text NOT NULL DEFAULT '',"
        " created_at timestamptz NOT NULL DEFAULT now())"
    )
    # Data as people make it: five shopping lists have the same title, which a later migration trips over.
    op.execute(
        "INSERT INTO notes (title, body)"
        " SELECT CASE WHEN n % 400 = 7 THEN 'Groceries' ELSE 'Note ' || n END, 'imported from the paper ' || n"
        " FROM generate_series(1, 2000) AS n"
    )
    log.info("created the table notes and imported 2000 notes")


def downgrade() -> None:
    op.execute("DROP TABLE notes")
