-- Functions of the gate for operations of every kind. An empty line ends a statement.
-- Whatever wrote an operation, when the transaction commits its owner approved exactly this, and exactly this was posted
-- on customers' accounts: nothing, where what was approved names no payer or is not executed yet.
CREATE OR REPLACE FUNCTION operation_was_approved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    amount bigint := (NEW.request ->> 'amount_minor')::bigint;
    fee bigint := coalesce((NEW.request ->> 'fee_minor')::bigint, 0);
    unlike bigint;
BEGIN
    IF NEW.amount_minor IS DISTINCT FROM amount OR NEW.currency IS DISTINCT FROM NEW.request ->> 'currency'
        OR NOT EXISTS (
            SELECT FROM pending_operations AS one
            WHERE one.id = NEW.pending_id AND one.user_id = NEW.user_id AND one.status = 'consumed'
                AND one.kind = NEW.kind AND one.payload = NEW.request
        )
    THEN
        RAISE EXCEPTION 'operation % is not what its owner approved', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_was_approved';
    END IF;
    WITH approved (account_id, amount_minor, currency) AS (
        SELECT (NEW.request -> 'payer' ->> 'account_id')::uuid, -(amount + fee), NEW.currency::text
        WHERE NEW.request -> 'payer' ->> 'account_id' IS NOT NULL
        UNION ALL
        SELECT (NEW.request -> 'receiver' ->> 'account_id')::uuid, amount, NEW.currency::text
        WHERE NEW.request -> 'receiver' ->> 'account_id' IS NOT NULL
    ), posted AS (
        SELECT leg.account_id, leg.amount_minor, leg.currency::text
        FROM postings AS leg JOIN accounts ON accounts.id = leg.account_id
        WHERE leg.entry_id = NEW.entry_id AND accounts.kind <> 'internal'
    )
    SELECT count(*) INTO unlike FROM (
        (SELECT * FROM approved EXCEPT SELECT * FROM posted) UNION ALL
        (SELECT * FROM posted EXCEPT SELECT * FROM approved)
    ) AS one;
    IF NEW.status = 'executed' AND unlike > 0 THEN
        RAISE EXCEPTION 'operation % was posted differently', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_was_approved';
    END IF;
    RETURN NULL;
END
$$;
