-- Channels: where messages go beyond the inbox; and the outbox, from which they leave at least once.

-- The address of a channel is a secret: the app seals it, and nobody reads it again.
create table public.channels (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    name text not null check (char_length(btrim(name)) between 1 and 80),
    kind text not null check (kind in (
        'webhook', 'email', 'slack', 'teams', 'discord', 'telegram', 'ntfy', 'gotify', 'pushover')),
    -- What one recognises it by: a host, or addresses.
    hint text not null check (char_length(hint) between 1 and 400),
    is_enabled boolean not null default true,
    max_per_hour integer not null default 60 check (max_per_hour between 1 and 3600),
    created_by uuid references auth.users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What the provider said last, and when it took or refused a message last.
    last_answer text check (char_length(last_answer) <= 400),
    last_delivered_at timestamptz,
    last_failed_at timestamptz,
    unique (org_id, name)
);
alter table public.channels enable row level security;
revoke all on public.channels from anon, authenticated;
grant select on public.channels to authenticated;
grant all on public.channels to service_role;
create policy "members see" on public.channels for select to authenticated
    using (org_id in (select private.my_orgs()));

create table private.channel_addresses (
    channel_id uuid primary key references public.channels (id) on delete cascade,
    sealed text not null check (char_length(sealed) <= 20000)
);

-- One message to one channel. It waits while `next_at` is set; `claimed_until` is the end of a try that is under way.
create table public.deliveries (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    channel_id uuid references public.channels (id) on delete cascade,
    -- The same message to the same channel is written once.
    key text not null unique check (char_length(key) between 1 and 200),
    content jsonb not null check (jsonb_typeof(content) = 'object' and pg_column_size(content) <= 131072),
    created_at timestamptz not null default now(),
    next_at timestamptz default now(),
    attempts integer not null default 0,
    claimed_until timestamptz,
    delivered_at timestamptz,
    gave_up_at timestamptz,
    answer text check (char_length(answer) <= 400),
    -- Whether a try ended without a note of how: the message may have arrived more than once.
    may_be_double boolean not null default false,
    -- Recipients that are not tried again, by address: an empty text for one that has the message, else why not.
    settled jsonb not null default '{}'
        check (jsonb_typeof(settled) = 'object' and pg_column_size(settled) <= 65536),
    check (num_nonnulls(next_at, delivered_at, gave_up_at) = 1)
);
create index deliveries_next_at_idx on public.deliveries (next_at) where next_at is not null;
create index deliveries_channel_id_idx on public.deliveries (channel_id, created_at desc);
create index deliveries_delivered_at_idx on public.deliveries (channel_id, delivered_at) where delivered_at is not null;
create index deliveries_org_id_idx on public.deliveries (org_id, created_at desc);
alter table public.deliveries enable row level security;
revoke all on public.deliveries from anon, authenticated;
grant select on public.deliveries to authenticated;
grant all on public.deliveries to service_role;
-- What tells of alerts, which are personal, only admins see.
create policy "writers see" on public.deliveries for select to authenticated
    using (channel_id is not null and (
        org_id in (select private.my_administered_orgs())
        or org_id in (select private.my_writable_orgs())
            and not coalesce(content -> 'events' @> '[{"event": "alert"}]', false)));

-- Creates a channel, or changes it if `channel` is given; `sealed` is null to leave its address. Returns its id.
create function public.put_channel(
    org uuid, channel uuid, name text, kind text, hint text, sealed text, max_per_hour integer, is_enabled boolean
) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    written uuid;
begin
    if org not in (select private.my_administered_orgs()) then
        raise exception 'The channel % was not saved: only admins may write channels.', put_channel.name
            using errcode = 'LW403';
    end if;
    if channel is null then
        insert into public.channels (org_id, name, kind, hint, max_per_hour, is_enabled, created_by)
        values (org, btrim(put_channel.name), put_channel.kind, put_channel.hint, put_channel.max_per_hour,
            put_channel.is_enabled, (select auth.uid()))
        returning id into written;
        perform private.note_audit(org, 'channel.created', btrim(put_channel.name), null,
            jsonb_build_object('kind', put_channel.kind, 'address', put_channel.hint));
    else
        update public.channels as one set
            name = btrim(put_channel.name), hint = coalesce(put_channel.hint, one.hint),
            max_per_hour = put_channel.max_per_hour, is_enabled = put_channel.is_enabled,
            updated_at = clock_timestamp()
        where one.id = channel and one.org_id = org
        returning id into written;
        if written is null then
            raise exception 'There is no such channel: it was removed.' using errcode = 'LW404';
        end if;
        perform private.note_audit(org, 'channel.changed', btrim(put_channel.name), null,
            jsonb_build_object('is_enabled', put_channel.is_enabled, 'max_per_hour', put_channel.max_per_hour,
                'new_address', sealed is not null));
    end if;
    if sealed is not null then
        insert into private.channel_addresses as kept (channel_id, sealed) values (written, put_channel.sealed)
        on conflict (channel_id) do update set sealed = excluded.sealed;
    end if;
    return written;
exception when unique_violation then
    raise exception 'There is a channel called % already: choose another name.', btrim(put_channel.name)
        using errcode = 'LW409';
end
$$;

-- Removes a channel with what waits for it; returns whether there was one.
create function public.remove_channel(org uuid, channel uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    removed public.channels;
begin
    if org not in (select private.my_administered_orgs()) then
        raise exception 'The channel was not removed: only admins may write channels.' using errcode = 'LW403';
    end if;
    delete from public.channels as one where one.id = channel and one.org_id = org returning * into removed;
    if removed.id is not null then
        perform private.note_audit(org, 'channel.removed', removed.name, jsonb_build_object('kind', removed.kind));
    end if;
    return removed.id is not null;
end
$$;

-- Returns the sealed address of a channel, for a test of it by an admin; the app opens it and shows it to nobody.
create function private.sealed_address(org uuid, channel uuid) returns text
language sql stable security definer set search_path = ''
as $$
    select kept.sealed from private.channel_addresses as kept join public.channels as one on one.id = kept.channel_id
    where one.id = channel and one.org_id = org
$$;

-- Claims at most `max_rows` deliveries for `seconds`, as one of several processes, and at most four at a time of a
-- channel, so that one that does not answer holds up no other. A channel that had its messages of the hour waits.
create function private.claim_deliveries(max_rows integer, seconds double precision default 60)
    returns table (delivery public.deliveries, channel jsonb, sealed text)
language plpgsql security definer set search_path = ''
as $$
declare
    given_up bigint;
begin
    -- What a channel that is off or full could not take within a day is over.
    with old as (
        select one.id from public.deliveries as one
        where one.next_at <= now() and one.created_at < now() - interval '24 hours'
            and (one.claimed_until is null or one.claimed_until <= now())
        limit 500 for update skip locked
    ), ended as (
        update public.deliveries as one set
            next_at = null, claimed_until = null, gave_up_at = clock_timestamp(),
            answer = coalesce(one.answer, 'It waited for a day.')
        from old where old.id = one.id
        returning one.org_id, one.channel_id
    )
    select count(private.note_audit(target.org_id, 'delivery.given_up', target.name, null,
        jsonb_build_object('count', lost.count, 'answer', 'They waited for a day.'))::text)
    into given_up
    from (select each.channel_id, count(*) from ended as each group by each.channel_id) as lost
    join public.channels as target on target.id = lost.channel_id;
    return query
    with ready as (
        select one.id,
            row_number() over (partition by one.channel_id order by one.next_at) + (
                select count(*) from public.deliveries as busy
                where busy.channel_id = one.channel_id and busy.claimed_until > now()) as place,
            target.max_per_hour - (
                select count(*) from public.deliveries as sent
                where sent.channel_id = one.channel_id and sent.delivered_at > now() - interval '1 hour') as left_over
        from (
            select waiting.id, waiting.channel_id, waiting.next_at from public.deliveries as waiting
            where waiting.next_at <= now() and (waiting.claimed_until is null or waiting.claimed_until <= now())
            order by waiting.next_at limit 5000
        ) as one
        join public.channels as target on target.id = one.channel_id and target.is_enabled
    ), chosen as (
        select one.id from public.deliveries as one join ready on ready.id = one.id
        where ready.place <= 4 and ready.place <= ready.left_over
            and (one.claimed_until is null or one.claimed_until <= now())
        order by one.next_at limit max_rows for update of one skip locked
    ), claimed as (
        update public.deliveries as one set
            attempts = one.attempts + 1,
            may_be_double = one.may_be_double or one.claimed_until is not null,
            claimed_until = clock_timestamp() + make_interval(secs => seconds)
        from chosen where chosen.id = one.id
        returning one.*
    )
    select row(claimed.*)::public.deliveries, to_jsonb(target), kept.sealed
    from claimed
    join public.channels as target on target.id = claimed.channel_id
    join private.channel_addresses as kept on kept.channel_id = claimed.channel_id;
end
$$;

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
    public.put_channel(uuid, uuid, text, text, text, text, integer, boolean), public.remove_channel(uuid, uuid)
    from public, anon;
grant execute on function
    public.put_channel(uuid, uuid, text, text, text, text, integer, boolean), public.remove_channel(uuid, uuid)
    to authenticated, service_role;
revoke execute on function
    private.sealed_address(uuid, uuid), private.claim_deliveries(integer, double precision),
    private.note_delivery(uuid, boolean, text, boolean, double precision, jsonb) from public;
grant execute on function
    private.sealed_address(uuid, uuid), private.claim_deliveries(integer, double precision),
    private.note_delivery(uuid, boolean, text, boolean, double precision, jsonb) to livewatch_app, service_role;
