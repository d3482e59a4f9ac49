-- Saved views: names for what the address of a list holds. A person's own, and those of an organisation, in tables of
-- their own, since a feed tells everybody on its topic of a row.

create table public.shared_views (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    list text not null,
    name text not null check (char_length(btrim(name)) between 1 and 80),
    query jsonb not null default '{}' check (jsonb_typeof(query) = 'object' and octet_length(query::text) <= 4000),
    is_pinned boolean not null default false,
    is_default boolean not null default false,
    created_by uuid default auth.uid(),
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (org_id, list, name)
);
create unique index shared_views_default_key on public.shared_views (org_id, list) where is_default;
select private.watch_table('shared_views');

create table public.own_views (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
    list text not null,
    name text not null check (char_length(btrim(name)) between 1 and 80),
    query jsonb not null default '{}' check (jsonb_typeof(query) = 'object' and octet_length(query::text) <= 4000),
    is_pinned boolean not null default false,
    is_default boolean not null default false,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, org_id, list, name)
);
create index own_views_org_id_idx on public.own_views (org_id);
create unique index own_views_default_key on public.own_views (user_id, org_id, list) where is_default;
select private.watch_table('own_views', 'user', writers => 'database', markable => '{name,query,is_pinned,is_default}');
grant insert on public.own_views to authenticated;
create policy "members save their own" on public.own_views for insert to authenticated
    with check (user_id = (select auth.uid()) and org_id in (select private.my_orgs()));

-- So many that a feed holds them all.
create function private.limit_views() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    count bigint;
begin
    if tg_table_name = 'own_views' then
        select count(*) into count from public.own_views as each
        where each.user_id = new.user_id and each.org_id = new.org_id;
    else
        select count(*) into count from public.shared_views as each where each.org_id = new.org_id;
    end if;
    if count > 200 then
        raise exception 'There are 200 saved views already. Delete one that nobody needs.' using errcode = 'LW409';
    end if;
    return null;
end
$$;
revoke execute on function private.limit_views() from public;
create trigger limit_views after insert on public.shared_views for each row execute function private.limit_views();
create trigger limit_views after insert on public.own_views for each row execute function private.limit_views();

-- A person who leaves an organisation leaves no views behind.
create function private.forget_views_of_member() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.own_views where user_id = old.user_id and org_id = old.org_id;
    return null;
end
$$;
revoke execute on function private.forget_views_of_member() from public;
create trigger forget_views after delete on public.org_members
    for each row execute function private.forget_views_of_member();
