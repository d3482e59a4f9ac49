-- Recipients of a delivery: those that accepted it, or refused it for good, are left out of the next try.

-- By address: an empty text if it has the message, else why not.
alter table public.deliveries add column settled jsonb not null default '{}'
    check (jsonb_typeof(settled) = 'object' and pg_column_size(settled) <= 65536);

drop function private.note_delivery(uuid, boolean, text, boolean, double precision);

-- Notes how a try ended. What was not taken is tried again: after 30 s, then twice as long each time up to an hour, or
-- when the provider asked for it; for a day, or not at all if the provider's answer is final. Giving up is told in the
-- audit log.
create function private.note_delivery(
    delivery uuid, is_delivered boolean, answer text, is_final boolean default false,
    retry_seconds double precision default null, settled jsonb default '{}'
) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    said constant text := left(answer, 400);
    over constant jsonb := settled;
    pause constant interval := make_interval(secs => 1);
    noted public.deliveries;
    target public.channels;
begin
    update public.deliveries as one set
        claimed_until = null,
        answer = said,
        settled = one.settled || over,
        delivered_at = case when is_delivered then clock_timestamp() end,
        gave_up_at = case when not is_delivered and (is_final or one.created_at < now() - interval '24 hours')
            then clock_timestamp() end,
        next_at = case when not is_delivered and not is_final and one.created_at >= now() - interval '24 hours'
            then clock_timestamp() + pause * least(3600, greatest(
                coalesce(retry_seconds, 0), 30 * power(2, least(one.attempts, 10) - 1) * (0.75 + random() / 2))) end
    where one.id = delivery and one.next_at is not null
    returning * into noted;
    if noted.id is null or noted.channel_id is null then
        return;
    end if;
    update public.channels as one set
        last_answer = said,
        last_delivered_at = case when is_delivered then clock_timestamp() else one.last_delivered_at end,
        last_failed_at = case when is_delivered then one.last_failed_at else clock_timestamp() end
    where one.id = noted.channel_id returning * into target;
    if noted.gave_up_at is not null then
        perform private.note_audit(noted.org_id, 'delivery.given_up', target.name, null, jsonb_build_object(
            'title', noted.content ->> 'title', 'attempts', noted.attempts, 'answer', said));
    end if;
end
$$;

revoke execute on function
    private.note_delivery(uuid, boolean, text, boolean, double precision, jsonb) from public;
grant execute on function
    private.note_delivery(uuid, boolean, text, boolean, double precision, jsonb) to livewatch_app, service_role;
