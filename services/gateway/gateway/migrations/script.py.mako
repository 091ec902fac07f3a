"""${message}

Revision ${up_revision} follows ${down_revision}. It must work while the previous release is still running, and
hold no lock for long: lock_timeout and statement_timeout are set by env.py.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
