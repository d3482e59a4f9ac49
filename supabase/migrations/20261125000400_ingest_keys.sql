-- Ingest keys, with which programs report over HTTP, and what they may report: runs by slug, logs, alerts.

-- Stores only the SHA-256 of a key's secret. The secret is 256 random bits, which no dictionary holds, so a slow hash
-- would add nothing.
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
        raise exception 'The key % is revoked and cannot be restored: create a new key.', old.public_id
            using errcode = '55000';
    end if;
    return new;
end
$$;
create trigger keep_revoked before update on public.ingest_keys
    for each row execute function private.keep_revoked();

alter table public.ingest_keys enable row level security;
revoke all on public.ingest_keys from anon, authenticated;
-- No role of a user reads the hash. No key is deleted, so that the reporter of a run stays known.
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

-- Returns the key that the current transaction claims to act for. The API verifies the secret, then writes the claim
-- `ingest_key` and leaves `sub` out. No user's token can pass for a key: the Auth server signs every token, writes
-- `sub` into each, and lets nobody choose a claim at the top level (a user's own data is below `user_metadata`).
create function private.claimed_ingest_key() returns uuid
language sql stable set search_path = ''
as $$
    select case when claims ->> 'sub' is null then (claims ->> 'ingest_key')::uuid end
    from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims) as request
$$;

-- Returns the key that the current transaction acts for; null once it is revoked.
create function private.ingest_key() returns uuid
language sql stable security definer set search_path = ''
as $$
    select key.id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and key.revoked_at is null
$$;

-- Returns the organisation of the current key; no row if the key is revoked or lacks the scope.
create function private.ingest_orgs(scope text) returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select key.org_id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and key.revoked_at is null and scope = any (key.scopes)
$$;

-- Returns the key with this secret; no row if there is none. The time of the comparison reveals nothing: both hashes
-- are hashed again with a nonce of this call. The stored hash never leaves the database.
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

-- Lines of a run's log. They are read on demand and not broadcast: hundreds a second would delay the changes of rows.
-- Writing them is a heartbeat of the run, and that change tells an open log to read on.
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
create index log_lines_at_idx on public.log_lines (at);
alter table public.log_lines enable row level security;
revoke all on public.log_lines from anon, authenticated;
grant select on public.log_lines to authenticated;
grant insert (org_id, run_id, at, level, message) on public.log_lines to authenticated;
grant all on public.log_lines to service_role;
create policy "members see" on public.log_lines
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "keys insert" on public.log_lines
    for insert to authenticated with check (org_id in (select private.ingest_orgs('runs')));

-- Keeps the latest 10,000 lines of each run.
create function private.trim_log() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- Materialized, so that the bound is computed once a run and not once a line.
    with excess as materialized (
        select run.org_id, run.run_id, line.id
        from (select distinct org_id, run_id from added) as run
        cross join lateral (
            select kept.id from public.log_lines as kept
            where kept.run_id = run.run_id and kept.org_id = run.org_id
            order by kept.id desc offset 10000 limit 1
        ) as line
    )
    delete from public.log_lines as line using excess
    where line.org_id = excess.org_id and line.run_id = excess.run_id and line.id <= excess.id;
    return null;
end
$$;
create trigger trim_log after insert on public.log_lines
    referencing new table as added for each statement execute function private.trim_log();

-- Deletes the log of a deleted run.
create function private.delete_log() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.log_lines where run_id = old.id and org_id = old.org_id;
    return null;
end
$$;

-- Keeps `updated_at` for a heartbeat, which tells that a run lives and changes nothing else of it.
create function private.unstamp_heartbeat() returns trigger
language plpgsql set search_path = ''
as $$
declare
    touched record := old;
begin
    -- What a heartbeat sets, then stamp_row; the generated columns of `new` are computed after this trigger.
    touched.heartbeat_at := new.heartbeat_at;
    touched.heartbeat_interval := new.heartbeat_interval;
    touched.ingest_key := new.ingest_key;
    touched.version := new.version;
    touched.updated_at := new.updated_at;
    touched.is_finished := new.is_finished;
    if tg_table_name = 'streams' then
        touched.percentage := new.percentage;
    end if;
    if new is not distinct from touched then
        new.updated_at := old.updated_at;
    end if;
    return new;
end
$$;

-- Lets programs report the rows of a monitored table by slug. Adds the slug, the key that reported last and the
-- heartbeat, the policies of keys, and triggers. A run that declared a heartbeat interval counts as unreachable once it
-- is silent for three of them.
create function private.report_table(table_name text) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format(
        'alter table public.%1$I
             add column slug text check (slug ~ ''^[A-Za-z0-9._:-]{1,120}$''),
             add column ingest_key uuid,
             add column heartbeat_at timestamptz,
             add column heartbeat_interval double precision check (heartbeat_interval between 1 and 86400),
             add constraint %2$I unique (org_id, slug),
             add constraint %3$I foreign key (ingest_key, org_id) references public.ingest_keys (id, org_id)
                 on delete set null (ingest_key)',
        table_name, table_name || '_slug_key', table_name || '_ingest_key_fkey');
    execute format(
        'create policy "keys see what was reported" on public.%I for select to authenticated
             using (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', table_name);
    execute format(
        'create policy "keys insert" on public.%I for insert to authenticated
             with check (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', table_name);
    execute format(
        'create policy "keys update" on public.%I for update to authenticated
             using (slug is not null and org_id in (select private.ingest_orgs(''runs'')))', table_name);
    execute format(
        'create trigger delete_log after delete on public.%I
             for each row execute function private.delete_log()', table_name);
    -- Triggers fire in the order of their names: this one after stamp_row.
    execute format(
        'create trigger unstamp_heartbeat before update of heartbeat_at on public.%I
             for each row execute function private.unstamp_heartbeat()', table_name);
end
$$;
select private.report_table('streams');
select private.report_table('acquisition_scans');
select private.report_table('agent_executions');

create policy "keys send to members" on public.signal_alerts for insert to authenticated
    with check (org_id in (select private.ingest_orgs('alerts')) and private.is_member(user_id, org_id));
create policy "keys send to members" on public.notifications for insert to authenticated
    with check (org_id in (select private.ingest_orgs('notifications')) and private.is_member(user_id, org_id));

-- Answers to requests with an idempotency key, kept for a day; visible to the ingest key that sent them.
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

-- Records the use of the current key, and deletes expired idempotency keys. The API calls it once a minute for a key.
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

-- Returns the recipients of an alert or a notification: the members with these e-mail addresses; all if null.
create function private.ingest_recipients(org uuid, addresses jsonb) returns uuid[]
language plpgsql stable security definer set search_path = ''
as $$
declare
    address text;
    recipient uuid;
    recipients uuid[] := array[]::uuid[];
begin
    if org not in (select private.ingest_orgs('alerts') union select private.ingest_orgs('notifications')) then
        raise exception 'The key % may not send to members: create one with the scope ''alerts'' or ''notifications''.',
            private.claimed_ingest_key() using errcode = '42501';
    end if;
    if addresses is null then
        return array(select user_id from public.org_members where org_id = org order by user_id);
    end if;
    for address in select distinct lower(btrim(value)) from jsonb_array_elements_text(addresses) as value loop
        select member.user_id into recipient
        from public.org_members as member join auth.users as person on person.id = member.user_id
        where member.org_id = org and lower(person.email) = address;
        if recipient is null then
            raise exception '% is not the address of a member of this organisation: correct it, or add that person.',
                to_json(address) using errcode = 'LW422', detail = 'to';
        end if;
        recipients := recipients || recipient;
    end loop;
    return recipients;
end
$$;

-- Returns the stream with a slug, for an alert from a key that may not see runs.
create function private.ingest_stream(org uuid, slug text) returns uuid
language sql stable security definer set search_path = ''
as $$
    select stream.id from public.streams as stream
    where stream.org_id = org and stream.slug = ingest_stream.slug
        and org in (select private.ingest_orgs('alerts') union select private.ingest_orgs('runs'))
$$;

revoke execute on all functions in schema private from public;
grant execute on function private.claimed_ingest_key(), private.ingest_key(), private.ingest_orgs(text),
    private.verify_ingest_key(text, bytea), private.touch_ingest_key(), private.ingest_recipients(uuid, jsonb),
    private.ingest_stream(uuid, text) to authenticated, service_role;
