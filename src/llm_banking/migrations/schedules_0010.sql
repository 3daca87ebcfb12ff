-- Functions and triggers of schedules. An empty line ends a statement.
-- Whatever wrote a schedule, when the transaction commits its owner approved it.
CREATE FUNCTION schedule_was_approved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM bank_operations AS one
        WHERE one.pending_id = NEW.id AND one.user_id = NEW.user_id AND one.status = 'scheduled'
    ) THEN
        RAISE EXCEPTION 'schedule % is not one that its owner approved', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'schedule_was_approved';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER schedule_was_approved AFTER INSERT ON scheduled_payments
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION schedule_was_approved();

-- A schedule's payments come in their order, and one that has ended stays ended.
CREATE FUNCTION schedule_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status = 'active' AND NEW.next_number >= OLD.next_number
        AND (NEW.id, NEW.user_id, NEW.created_at) = (OLD.id, OLD.user_id, OLD.created_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a schedule goes forward, and ends once'
        USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'schedule_goes_forward';
END
$$;

CREATE TRIGGER schedule_goes_forward BEFORE UPDATE OR DELETE ON scheduled_payments
FOR EACH ROW EXECUTE FUNCTION schedule_goes_forward();

CREATE TRIGGER schedule_is_never_emptied BEFORE TRUNCATE ON scheduled_payments
FOR EACH STATEMENT EXECUTE FUNCTION schedule_goes_forward();

-- Whatever wrote a run, when the transaction commits its owner approved the schedule and did not cancel it, the run is
-- one of the payments that were approved, and exactly what was approved was posted on customers' accounts.
CREATE FUNCTION run_was_approved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    request jsonb;
    planned jsonb;
    unlike bigint;
BEGIN
    SELECT one.request, one.request -> 'when' INTO request, planned
    FROM bank_operations AS one JOIN scheduled_payments AS schedule ON schedule.id = one.pending_id
    WHERE one.pending_id = NEW.schedule_id AND one.status = 'scheduled' AND schedule.user_id = one.user_id
        AND schedule.status <> 'cancelled' AND schedule.next_number >= NEW.number;
    IF request IS NULL
        OR NEW.number >= coalesce((planned ->> 'count')::integer, CASE WHEN planned ? 'day' THEN 1 END, NEW.number + 1)
        OR NEW.due_on < coalesce(planned ->> 'day', planned ->> 'first_day')::date
        OR NEW.due_on > (planned ->> 'last_day')::date
    THEN
        RAISE EXCEPTION 'run % of schedule % is not one that its owner approved', NEW.number, NEW.schedule_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'run_was_approved';
    END IF;
    WITH approved (account_id, amount_minor, currency) AS (
        SELECT (request -> 'payer' ->> 'account_id')::uuid,
            -((request ->> 'amount_minor')::bigint + (request ->> 'fee_minor')::bigint), request ->> 'currency'
        UNION ALL
        SELECT (request -> 'receiver' ->> 'account_id')::uuid, (request ->> 'amount_minor')::bigint,
            request ->> 'currency'
        WHERE request -> 'receiver' ->> 'account_id' IS NOT NULL
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
        RAISE EXCEPTION 'run % of schedule % was posted differently', NEW.number, NEW.schedule_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'run_was_approved';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER run_was_approved AFTER INSERT ON payment_runs
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION run_was_approved();

CREATE FUNCTION run_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was tried is never changed'
        USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'run_is_final';
END
$$;

CREATE TRIGGER run_is_final BEFORE UPDATE OR DELETE ON payment_runs
FOR EACH ROW EXECUTE FUNCTION run_is_final();

CREATE TRIGGER run_is_never_emptied BEFORE TRUNCATE ON payment_runs
FOR EACH STATEMENT EXECUTE FUNCTION run_is_final();
