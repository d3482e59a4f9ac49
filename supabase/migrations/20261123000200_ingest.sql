-- Reports from people's own programs over HTTP: keys of an organisation, runs by slug, heartbeats, logs, idempotency.

-- Only the SHA-256 of a key's secret is kept. That is enough: the secret is 256 random bits, which no dictionary holds,
-- so there is nothing that a slow hash would slow down.
create table public.ingest_keys (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    name text not null check (char_length(btrim(name)) between 1 and 120),
    public_id text not null unique check (public_id ~ '^[a-z0-9]{8,32}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    scopes text[] not null default array['runs', 'alerts', 'notifications']
        check (cardinality(scopes) > 0 and scopes <@ array['runs', 'alerts', 'notifications']),
    created_by uuid default auth.uid() references auth.users (id) on delete set null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    unique (id, org_id)
);
create index ingest_keys_org_id_idx on public.ingest_keys (org_id, created_at desc);

create function private.keep_revoked() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
        raise exception 'the key % was revoked and stays so', old.public_id
            using errcode = '55000', hint = 'Make another key.';
    end if;
    return new;
end
$$;
create trigger keep_revoked before update on public.ingest_keys
    for each row execute function private.keep_revoked();

alter table public.ingest_keys enable row level security;
revoke all on public.ingest_keys from anon, authenticated;
-- Nobody reads the hash, whoever they are; and a key is never deleted, so that who reported stays known.
grant select (id, org_id, name, public_id, scopes, created_by, created_at, last_used_at, revoked_at),
    insert (org_id, name, public_id, secret_hash, scopes), update (name, revoked_at)
    on public.ingest_keys to authenticated;
grant all on public.ingest_keys to service_role;
create policy "admins see the keys" on public.ingest_keys
    for select to authenticated using (org_id in (select private.my_administered_orgs()));
create policy "admins make keys" on public.ingest_keys
    for insert to authenticated with check (org_id in (select private.my_administered_orgs()));
create policy "admins rename and revoke keys" on public.ingest_keys
    for update to authenticated using (org_id in (select private.my_administered_orgs()));

-- The key that a transaction acts for. The API names it in the claims, after it has verified the secret, and leaves `sub`
-- out. No user's token can pass for a key: the Auth server signs every token, writes `sub` into each that it gives to a
-- user, and lets nobody choose a claim at the top level (what users set of their own is below `user_metadata`).
create function private.claimed_ingest_key() returns uuid
language sql stable set search_path = ''
as $$
    select case when claims ->> 'sub' is null then (claims ->> 'ingest_key')::uuid end
    from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims) as request
$$;

-- The same, and none once it was revoked.
create function private.ingest_key() returns uuid
language sql stable security definer set search_path = ''
as $$
    select key.id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and key.revoked_at is null
$$;

-- The one organisation of that key; none when it was revoked or may not do this.
create function private.ingest_orgs(scope text) returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select key.org_id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and key.revoked_at is null and scope = any (key.scopes)
$$;

-- Finds a key by what a program sends, its secret hashed. Who measures how long the comparison takes learns nothing: what
-- is compared is hashed once more with a value of this call alone. The hash itself never leaves.
create function private.verify_ingest_key(public_id text, secret_hash bytea)
returns table (id uuid, org_id uuid, org_name text, name text, scopes text[])
language sql stable security definer set search_path = ''
as $$
    select key.id, key.org_id, org.name, key.name, key.scopes
    from public.ingest_keys as key
    join public.organizations as org on org.id = key.org_id
    cross join (select uuid_send(gen_random_uuid()) as value) as nonce
    where key.public_id = verify_ingest_key.public_id and key.revoked_at is null
        and sha256(key.secret_hash || nonce.value) = sha256(verify_ingest_key.secret_hash || nonce.value)
$$;

-- What programs report of a run, beside what people may: its name there, who reported last, and that it lives.
-- A run that said how often it reports and then is silent for three such intervals counts as unreachable.
do $$
declare
    reported text;
begin
    foreach reported in array array['streams', 'acquisition_scans', 'agent_executions'] loop
        execute format(
            'alter table public.%1$I
                 add column slug text check (slug ~ ''^[A-Za-z0-9._:-]{1,120}$''),
                 add column ingest_key uuid,
                 add column heartbeat_at timestamptz,
                 add column heartbeat_interval double precision check (heartbeat_interval between 1 and 86400),
                 add constraint %2$I unique (org_id, slug),
                 add constraint %3$I foreign key (ingest_key, org_id) references public.ingest_keys (id, org_id)
                     on delete set null (ingest_key)',
            reported, reported || '_slug_key', reported || '_ingest_key_fkey');
        execute format(
            'create policy "keys see what was reported" on public.%I for select to authenticated
                 using (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', reported);
        execute format(
            'create policy "keys insert" on public.%I for insert to authenticated
                 with check (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', reported);
        execute format(
            'create policy "keys update" on public.%I for update to authenticated
                 using (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', reported);
    end loop;
end
$$;

alter table public.streams
    add column metadata jsonb not null default '{}'
        check (jsonb_typeof(metadata) = 'object' and pg_column_size(metadata) <= 16384),
    add column error text check (char_length(error) <= 8000),
    add column finished_at timestamptz;
update public.streams set finished_at = updated_at where goal_status = 'completed';

-- A stream is finished when it is completed, or when a program said so; a member who changes its status reopens it.
create function private.stamp_finish() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.goal_status = 'completed' then
        new.finished_at := coalesce(new.finished_at, clock_timestamp());
    elsif tg_op = 'UPDATE' and new.goal_status is distinct from old.goal_status
        and new.finished_at is not distinct from old.finished_at then
        new.finished_at := null;
    end if;
    return new;
end
$$;
create trigger stamp_finish before insert or update of goal_status on public.streams
    for each row execute function private.stamp_finish();

create policy "keys send to members" on public.signal_alerts for insert to authenticated
    with check (org_id in (select private.ingest_orgs('alerts')) and private.is_member(user_id, org_id));
create policy "keys send to members" on public.notifications for insert to authenticated
    with check (org_id in (select private.ingest_orgs('notifications')) and private.is_member(user_id, org_id));

-- Lines are read on demand, not broadcast: hundreds a second would crowd out the changes that everybody watches. Writing
-- them is a heartbeat of their run, and that change tells who has the log open to read on.
create table public.log_lines (
    id bigint generated always as identity primary key,
    org_id uuid not null references public.organizations (id) on delete cascade,
    run_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    level text not null default 'info' check (level in ('debug', 'info', 'warning', 'error', 'critical')),
    message text not null check (char_length(message) <= 2000)
);
create index log_lines_run_id_idx on public.log_lines (run_id, id desc);
create index log_lines_org_id_idx on public.log_lines (org_id);
alter table public.log_lines enable row level security;
revoke all on public.log_lines from anon, authenticated;
grant select on public.log_lines to authenticated;
grant insert (org_id, run_id, at, level, message) on public.log_lines to authenticated;
grant all on public.log_lines to service_role;
create policy "members see" on public.log_lines
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "keys insert" on public.log_lines
    for insert to authenticated with check (org_id in (select private.ingest_orgs('runs')));

-- The latest 10,000 lines of a run are kept, and none of a run that is gone.
create function private.trim_log() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- The bound is found once a run: as a condition it would be looked for again with each line.
    with too_old as materialized (
        select run.org_id, run.run_id, line.id
        from (select distinct org_id, run_id from added) as run
        cross join lateral (
            select kept.id from public.log_lines as kept
            where kept.run_id = run.run_id and kept.org_id = run.org_id
            order by kept.id desc offset 10000 limit 1
        ) as line
    )
    delete from public.log_lines as line using too_old
    where line.org_id = too_old.org_id and line.run_id = too_old.run_id and line.id <= too_old.id;
    return null;
end
$$;
create trigger trim_log after insert on public.log_lines
    referencing new table as added for each statement execute function private.trim_log();

create function private.forget_log() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.log_lines where run_id = old.id and org_id = old.org_id;
    return null;
end
$$;
create trigger forget_log after delete on public.streams for each row execute function private.forget_log();
create trigger forget_log after delete on public.acquisition_scans for each row execute function private.forget_log();
create trigger forget_log after delete on public.agent_executions for each row execute function private.forget_log();

-- What a key's requests were answered, for a day; only the key itself sees it.
create table public.idempotency_keys (
    ingest_key uuid not null references public.ingest_keys (id) on delete cascade,
    idempotency_key text not null check (char_length(idempotency_key) between 1 and 200),
    request_hash text not null check (char_length(request_hash) = 64),
    answer jsonb,
    created_at timestamptz not null default clock_timestamp(),
    primary key (ingest_key, idempotency_key)
);
create index idempotency_keys_created_at_idx on public.idempotency_keys (created_at);
alter table public.idempotency_keys enable row level security;
revoke all on public.idempotency_keys from anon, authenticated;
grant select, insert, update on public.idempotency_keys to authenticated;
grant all on public.idempotency_keys to service_role;
create policy "keys remember their own" on public.idempotency_keys for all to authenticated
    using (ingest_key = (select private.ingest_key()));

-- When a key was used, and what is older than a day forgotten; the API calls it at most once a minute a key.
create function private.touch_ingest_key() returns void
language plpgsql security definer set search_path = ''
as $$
begin
    update public.ingest_keys set last_used_at = clock_timestamp()
    where id = private.claimed_ingest_key() and revoked_at is null;
    delete from public.idempotency_keys
    where (ingest_key, idempotency_key) in (
        select ingest_key, idempotency_key from public.idempotency_keys
        where created_at < clock_timestamp() - interval '1 day'
        order by created_at limit 5000 for update skip locked
    );
end
$$;

-- To whom: the members of the key's organisation, all or those of these addresses. The addresses are the Auth server's.
create function private.ingest_recipients(org uuid, addresses jsonb) returns uuid[]
language plpgsql stable security definer set search_path = ''
as $$
declare
    wanted text;
    one uuid;
    found uuid[] := array[]::uuid[];
begin
    if org not in (select private.ingest_orgs('alerts') union select private.ingest_orgs('notifications')) then
        raise exception 'this key may not send' using errcode = '42501';
    end if;
    if addresses is null then
        return array(select user_id from public.org_members where org_id = org order by user_id);
    end if;
    for wanted in select distinct lower(btrim(value)) from jsonb_array_elements_text(addresses) as value loop
        select member.user_id into one
        from public.org_members as member join auth.users as person on person.id = member.user_id
        where member.org_id = org and lower(person.email) = wanted;
        if one is null then
            raise exception '% is not the address of a member of this organisation.', to_json(wanted)
                using errcode = 'LW422', detail = 'to';
        end if;
        found := found || one;
    end loop;
    return found;
end
$$;

-- The stream of a slug, for an alert about it by a key that may not see runs.
create function private.ingest_stream(org uuid, slug text) returns uuid
language sql stable security definer set search_path = ''
as $$
    select stream.id from public.streams as stream
    where stream.org_id = org and stream.slug = ingest_stream.slug
        and org in (select private.ingest_orgs('alerts') union select private.ingest_orgs('runs'))
$$;

grant execute on function private.claimed_ingest_key(), private.ingest_key(), private.ingest_orgs(text),
    private.verify_ingest_key(text, bytea), private.touch_ingest_key(), private.ingest_recipients(uuid, jsonb),
    private.ingest_stream(uuid, text) to authenticated, service_role;
revoke execute on function private.claimed_ingest_key(), private.ingest_key(), private.ingest_orgs(text),
    private.verify_ingest_key(text, bytea), private.touch_ingest_key(), private.ingest_recipients(uuid, jsonb),
    private.ingest_stream(uuid, text), private.keep_revoked(), private.stamp_finish(), private.trim_log(),
    private.forget_log() from public;
