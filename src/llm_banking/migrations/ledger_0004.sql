-- The ledger's functions. They run as the tables' owner; the application cannot write these tables in any other way.
-- An empty line ends a statement.
CREATE UNIQUE INDEX uq_accounts_internal ON accounts (name, currency) WHERE kind = 'internal';

-- The bank's own account of that name and currency, made when it is first needed.
CREATE FUNCTION ledger_internal_account(p_name text, p_currency text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    found uuid;
BEGIN
    SELECT id INTO found FROM accounts WHERE kind = 'internal' AND name = p_name AND currency = p_currency;
    IF found IS NULL THEN
        INSERT INTO accounts (id, user_id, kind, name, number_last4, currency, created_at)
        VALUES (gen_random_uuid(), NULL, 'internal', p_name, '0000', p_currency, now())
        ON CONFLICT DO NOTHING;
        SELECT id INTO found FROM accounts WHERE kind = 'internal' AND name = p_name AND currency = p_currency;
    END IF;
    RETURN found;
END
$$;

-- Post one entry, or say why not: 'posted', 'already_posted' (same id and body), 'id_reused', 'unknown_account',
-- 'wrong_currency', 'not_open', 'insufficient_funds', 'unknown_hold', 'not_reversible'. Where it says why not, nothing
-- was written. A leg is on a customer's account (p_accounts) or on one of the bank's own (p_internal).
CREATE FUNCTION ledger_post(
    p_id uuid, p_body_hash bytea, p_kind text, p_booked_at timestamptz,
    p_accounts uuid[], p_internal text[], p_amounts bigint[], p_currencies text[], p_descriptions text[],
    p_reverses uuid, p_hold uuid
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    leg integer;
    legs integer := cardinality(p_amounts);
    account accounts%ROWTYPE;
    hold holds%ROWTYPE;
    earlier bytea;
    freed bigint;
    balances bigint[] := array_fill(NULL::bigint, ARRAY[legs]);
BEGIN
    PERFORM FROM accounts WHERE id = ANY (p_accounts) ORDER BY id FOR NO KEY UPDATE;
    SELECT body_hash INTO earlier FROM ledger_entries WHERE id = p_id;
    IF FOUND THEN
        RETURN CASE WHEN earlier = p_body_hash THEN 'already_posted' ELSE 'id_reused' END;
    END IF;
    IF p_hold IS NOT NULL THEN
        SELECT * INTO hold FROM holds WHERE id = p_hold FOR UPDATE;
        IF NOT FOUND OR hold.status <> 'active' OR hold.expires_at <= now() OR NOT EXISTS (
            SELECT FROM unnest(p_accounts, p_amounts) AS one (account_id, amount_minor)
            WHERE account_id = hold.account_id AND amount_minor < 0
        ) THEN
            RETURN 'unknown_hold';
        END IF;
    END IF;
    IF p_reverses IS NOT NULL AND NOT ledger_reverses(p_reverses, p_accounts, p_amounts) THEN
        RETURN 'not_reversible';
    END IF;
    FOR leg IN 1 .. legs LOOP
        CONTINUE WHEN p_accounts[leg] IS NULL;
        SELECT * INTO account FROM accounts WHERE id = p_accounts[leg];
        IF NOT FOUND OR account.kind = 'internal' THEN
            RETURN 'unknown_account';
        END IF;
        IF p_amounts[leg] < 0 AND NOT ledger_may_debit(account.user_id) THEN
            RETURN 'unknown_account';
        END IF;
        IF account.currency <> p_currencies[leg] THEN
            RETURN 'wrong_currency';
        END IF;
        IF account.status = 'closed' OR (account.status = 'frozen' AND p_amounts[leg] < 0) THEN
            RETURN 'not_open';
        END IF;
        freed := CASE WHEN hold.account_id = account.id THEN hold.amount_minor ELSE 0 END;
        IF p_amounts[leg] < 0
            AND account.balance_minor - account.held_minor + freed + p_amounts[leg] < account.floor_minor
        THEN
            RETURN 'insufficient_funds';
        END IF;
        balances[leg] := account.balance_minor + p_amounts[leg];
    END LOOP;
    INSERT INTO ledger_entries (id, body_hash, kind, booked_at, reverses_id)
    VALUES (p_id, p_body_hash, p_kind, p_booked_at, p_reverses);
    INSERT INTO postings (entry_id, leg, account_id, amount_minor, currency, description, booked_at, balance_after_minor)
    SELECT p_id, number - 1, coalesce(account_id, ledger_internal_account(internal, currency)), amount_minor, currency,
        description, p_booked_at, balance_after
    FROM unnest(p_accounts, p_internal, p_amounts, p_currencies, p_descriptions, balances)
        WITH ORDINALITY AS one (account_id, internal, amount_minor, currency, description, balance_after, number);
    UPDATE accounts SET balance_minor = balance_after
    FROM unnest(p_accounts, balances) AS one (account_id, balance_after) WHERE accounts.id = one.account_id;
    IF p_hold IS NOT NULL THEN
        UPDATE holds SET status = 'captured', entry_id = p_id WHERE id = p_hold;
        UPDATE accounts SET held_minor = held_minor - hold.amount_minor WHERE id = hold.account_id;
    END IF;
    RETURN 'posted';
END
$$;

-- Whether the transaction works for the owner of an account from which money shall go.
CREATE FUNCTION ledger_may_debit(p_user uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN p_user = ANY (visible_user_ids());

-- Whether these legs are an entry's, turned around. Legs on the bank's own accounts follow, for all must add up.
CREATE FUNCTION ledger_reverses(p_entry uuid, p_accounts uuid[], p_amounts bigint[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
RETURN EXISTS (SELECT FROM ledger_entries WHERE id = p_entry AND reverses_id IS NULL)
    AND NOT EXISTS (SELECT FROM ledger_entries WHERE reverses_id = p_entry)
    AND NOT EXISTS (
        (SELECT account_id, -amount_minor FROM postings JOIN accounts ON accounts.id = account_id
         WHERE entry_id = p_entry AND accounts.kind <> 'internal')
        EXCEPT (SELECT * FROM unnest(p_accounts, p_amounts))
    )
    AND NOT EXISTS (
        (SELECT * FROM unnest(p_accounts, p_amounts) AS one (account_id, amount_minor) WHERE account_id IS NOT NULL)
        EXCEPT (SELECT account_id, -amount_minor FROM postings WHERE entry_id = p_entry)
    );

-- Set money of an account aside: 'held', 'already_held' (same id, account and amount), 'id_reused', 'unknown_account',
-- 'not_open' or 'insufficient_funds'.
CREATE FUNCTION ledger_hold(p_id uuid, p_account uuid, p_amount bigint, p_reason text, p_expires_at timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    account accounts%ROWTYPE;
    earlier holds%ROWTYPE;
BEGIN
    SELECT * INTO account FROM accounts WHERE id = p_account AND kind <> 'internal' FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT ledger_may_debit(account.user_id) THEN
        RETURN 'unknown_account';
    END IF;
    SELECT * INTO earlier FROM holds WHERE id = p_id;
    IF FOUND THEN
        RETURN CASE
            WHEN (earlier.account_id, earlier.amount_minor) = (p_account, p_amount) THEN 'already_held' ELSE 'id_reused'
        END;
    END IF;
    IF account.status <> 'open' THEN
        RETURN 'not_open';
    END IF;
    IF account.balance_minor - account.held_minor - p_amount < account.floor_minor THEN
        RETURN 'insufficient_funds';
    END IF;
    INSERT INTO holds (id, account_id, amount_minor, reason, expires_at)
    VALUES (p_id, p_account, p_amount, p_reason, p_expires_at);
    UPDATE accounts SET held_minor = held_minor + p_amount WHERE id = p_account;
    RETURN 'held';
END
$$;

-- Give held money back: 'released', 'already_released' or 'unknown_hold' (none, another's, or captured).
CREATE FUNCTION ledger_release(p_id uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    hold holds%ROWTYPE;
    owner uuid;
BEGIN
    SELECT * INTO hold FROM holds WHERE id = p_id;
    SELECT user_id INTO owner FROM accounts WHERE id = hold.account_id FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT ledger_may_debit(owner) THEN
        RETURN 'unknown_hold';
    END IF;
    UPDATE holds SET status = 'released' WHERE id = p_id AND status = 'active';
    IF NOT FOUND THEN
        SELECT * INTO hold FROM holds WHERE id = p_id;
        RETURN CASE hold.status WHEN 'released' THEN 'already_released' ELSE 'unknown_hold' END;
    END IF;
    UPDATE accounts SET held_minor = held_minor - hold.amount_minor WHERE id = hold.account_id;
    RETURN 'released';
END
$$;

-- Give back what was held for too long, of p_most holds at most; how many there were.
CREATE FUNCTION ledger_release_expired(p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    expired uuid[];
    hold holds%ROWTYPE;
    released integer := 0;
BEGIN
    SELECT array_agg(id ORDER BY account_id) INTO expired
    FROM (
        SELECT id, account_id FROM holds WHERE status = 'active' AND expires_at <= now()
        ORDER BY expires_at LIMIT p_most
    ) AS one;
    FOR hold IN SELECT * FROM holds WHERE id = ANY (expired) ORDER BY account_id, id LOOP
        PERFORM FROM accounts WHERE id = hold.account_id FOR NO KEY UPDATE;
        UPDATE holds SET status = 'released' WHERE id = hold.id AND status = 'active';
        IF FOUND THEN
            UPDATE accounts SET held_minor = held_minor - hold.amount_minor WHERE id = hold.account_id;
            released := released + 1;
        END IF;
    END LOOP;
    RETURN released;
END
$$;

-- What must hold whatever wrote it, checked when the transaction commits.
CREATE FUNCTION ledger_entry_adds_up() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    entry uuid := NEW.id;
BEGIN
    IF (SELECT count(*) FROM postings WHERE entry_id = entry) < 2
        OR EXISTS (SELECT FROM postings WHERE entry_id = entry GROUP BY currency HAVING sum(amount_minor) <> 0)
        OR EXISTS (
            SELECT FROM postings JOIN accounts ON accounts.id = account_id
            WHERE entry_id = entry AND accounts.currency <> postings.currency
        )
    THEN
        RAISE EXCEPTION 'ledger entry % does not add up', entry
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_adds_up';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER ledger_entry_adds_up AFTER INSERT ON ledger_entries
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_adds_up();

-- A leg that came after its entry would slip past that check. now() is the time at which the transaction began.
CREATE FUNCTION ledger_leg_comes_with_its_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entries WHERE id = NEW.entry_id AND posted_at = now()) THEN
        RAISE EXCEPTION 'ledger entry % was posted before', NEW.entry_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_leg_comes_with_its_entry';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_leg_comes_with_its_entry BEFORE INSERT ON postings
FOR EACH ROW EXECUTE FUNCTION ledger_leg_comes_with_its_entry();

CREATE FUNCTION ledger_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was posted is never changed; post its reversal'
        USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ledger_never_changes';
END
$$;

CREATE TRIGGER ledger_never_changes BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION ledger_never_changes();

CREATE TRIGGER ledger_never_changes BEFORE UPDATE OR DELETE ON postings
FOR EACH ROW EXECUTE FUNCTION ledger_never_changes();

CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();

CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON postings
FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();
