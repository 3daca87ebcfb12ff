"""The codes by which somebody proves to read the address that theirs is to become.

Only a keyed hash of a code stays; the code itself lies encrypted until it was sent. What failed is counted upwards, and
a code belongs to one pending operation of its owner.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
_OF_USER = "user_id = ANY ((SELECT visible_user_ids())::uuid[]) OR (SELECT has_scope('identity'))"


def upgrade() -> None:
    op.create_table(
        "contact_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("failures BETWEEN 0 AND 5", name=op.f("ck_contact_codes_failures")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_contact_codes_in_time")),
        sa.CheckConstraint("sent_at IS NULL OR code_encrypted IS NULL", name=op.f("ck_contact_codes_forgotten")),
        sa.ForeignKeyConstraint(["id"], ["pending_operations.id"], name=op.f("fk_contact_codes_id_pending_operations")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_contact_codes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_codes")),
    )
    op.create_index("ix_contact_codes_user_created", "contact_codes", ["user_id", "created_at"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE (code_encrypted, failures, sent_at) ON contact_codes TO {ROLE}")
    op.execute("ALTER TABLE contact_codes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE contact_codes FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY rows_of_a_user ON contact_codes USING ({_OF_USER}) WITH CHECK ({_OF_USER})")
    op.execute(
        """
        CREATE FUNCTION contact_code_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.failures < OLD.failures OR (OLD.code_encrypted IS NULL AND NEW.code_encrypted IS NOT NULL) THEN
                RAISE EXCEPTION 'failures of a code are not taken back, and one that was forgotten is not put back'
                    USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'contact_code_goes_forward';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER contact_code_goes_forward BEFORE UPDATE ON contact_codes "
        "FOR EACH ROW EXECUTE FUNCTION contact_code_goes_forward()"
    )


def downgrade() -> None:
    op.drop_table("contact_codes")
    op.execute("DROP FUNCTION contact_code_goes_forward()")
