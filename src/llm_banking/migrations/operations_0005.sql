-- Functions and triggers of the gate. An empty line ends a statement.
-- The last four digits and the currency of a customer's account, for whoever knows its reference and its holder's name;
-- no row where one of the two is wrong. It opens a scope while it reads, and tells nothing else. Names compare without
-- regard to case and to how many spaces are between words.
CREATE FUNCTION payee_account(p_account uuid, p_name text) RETURNS TABLE (last4 text, currency text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    scopes text := coalesce(current_setting('app.scopes', true), '');
BEGIN
    PERFORM set_config('app.scopes', '{system}', true);
    RETURN QUERY
    SELECT account.number_last4::text, account.currency::text
    FROM accounts AS account JOIN users AS holder ON holder.id = account.user_id
    WHERE account.id = p_account AND account.kind IN ('checking', 'savings') AND account.status <> 'closed'
        AND holder.status = 'active'
        AND lower(regexp_replace(btrim(holder.display_name), '\s+', ' ', 'g'))
            = lower(regexp_replace(btrim(p_name), '\s+', ' ', 'g'));
    PERFORM set_config('app.scopes', scopes, true);
END
$$;

-- What a customer was shown is never changed, and what was decided is never decided again.
CREATE FUNCTION pending_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'what a customer was shown is never deleted'
            USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'pending_is_frozen';
    END IF;
    IF OLD.status <> 'pending'
        OR (to_jsonb(OLD) - ARRAY['status', 'consumed_at']) <> (to_jsonb(NEW) - ARRAY['status', 'consumed_at'])
    THEN
        RAISE EXCEPTION 'what a customer was shown is never changed, and is decided once'
            USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'pending_is_frozen';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER pending_is_frozen BEFORE UPDATE OR DELETE ON pending_operations
FOR EACH ROW EXECUTE FUNCTION pending_is_frozen();

CREATE TRIGGER pending_is_never_emptied BEFORE TRUNCATE ON pending_operations
FOR EACH STATEMENT EXECUTE FUNCTION pending_is_frozen();

-- Whatever wrote an operation, when the transaction commits its owner approved exactly this, and exactly this was posted
-- on customers' accounts; the rest of an entry is the bank's own, and all of it adds up. It sees the other side's leg.
CREATE FUNCTION operation_was_approved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    amount bigint := (NEW.request ->> 'amount_minor')::bigint;
    fee bigint := (NEW.request ->> 'fee_minor')::bigint;
    unlike bigint;
BEGIN
    IF NEW.amount_minor <> amount OR NEW.currency <> NEW.request ->> 'currency' OR NOT EXISTS (
        SELECT FROM pending_operations AS one
        WHERE one.id = NEW.pending_id AND one.user_id = NEW.user_id AND one.status = 'consumed'
            AND one.kind = NEW.kind AND one.payload = NEW.request
    ) THEN
        RAISE EXCEPTION 'operation % is not what its owner approved', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_was_approved';
    END IF;
    WITH approved (account_id, amount_minor, currency) AS (
        SELECT (NEW.request -> 'payer' ->> 'account_id')::uuid, -(amount + fee), NEW.currency::text
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

CREATE CONSTRAINT TRIGGER operation_was_approved AFTER INSERT ON bank_operations
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION operation_was_approved();

CREATE FUNCTION operation_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was done is never changed'
        USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'operation_is_final';
END
$$;

CREATE TRIGGER operation_is_final BEFORE UPDATE OR DELETE ON bank_operations
FOR EACH ROW EXECUTE FUNCTION operation_is_final();

CREATE TRIGGER operation_is_never_emptied BEFORE TRUNCATE ON bank_operations
FOR EACH STATEMENT EXECUTE FUNCTION operation_is_final();
