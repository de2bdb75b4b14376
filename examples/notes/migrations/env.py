"""What Alembic runs: one connection, one lock against a second migration, one transaction per migration."""

import logging
import logging.config
import signal
import sys
from types import FrameType

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

LOCK = 0x6E6F746573  # "notes": any number that no other program locks in this database
log = logging.getLogger("notes.migrations")


def stop(_signal: int, _frame: FrameType | None) -> None:
    """Process 1 of a container ignores SIGTERM unless it says otherwise; this way the transaction rolls back."""
    sys.exit("stopped by SIGTERM: the running migration is rolled back")


def take_lock(connection: Connection) -> None:
    """Wait until no other migration runs. The lock belongs to the connection and ends with it, however it ends."""
    if not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar():
        log.info("another migration is running; waiting for it")
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    # Fail rather than queue for a table: everything that came later would queue behind us.
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.commit()


def migrate() -> None:
    # An URL with no host leaves the rest to libpq and its environment variables.
    engine = create_engine("postgresql+psycopg2://", future=True, poolclass=NullPool)
    with engine.connect() as connection:
        take_lock(connection)
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)
signal.signal(signal.SIGTERM, stop)
try:
    migrate()
except DBAPIError as error:
    # The database's own words; Alembic's log above names the migration, and the trace adds only SQLAlchemy's frames.
    sys.exit(f"ERROR {type(error.orig).__name__}: {str(error.orig).strip()}")
